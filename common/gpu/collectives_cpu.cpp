#include <algorithm>
#include <cstddef>

#include <ATen/ATen.h>

#include "core/error.hpp"
#include "gpu/collectives.hpp"

namespace knnseq::gpu {

namespace {

/// The memory of a contiguous tensor of the host.
std::span<std::byte> bytes_of(const at::Tensor& host) {
  return {static_cast<std::byte*>(host.data_ptr()), host.nbytes()};
}

template <class T>
std::span<T> values_of(const at::Tensor& host) {
  return {host.mutable_data_ptr<T>(), static_cast<std::size_t>(host.numel())};
}

/// Bytes of one row; there may be no rows.
std::int64_t row_bytes(const at::Tensor& rows) {
  auto bytes = static_cast<std::int64_t>(rows.element_size());
  for (const auto length : rows.sizes().slice(1)) bytes *= length;
  KNNSEQ_ASSERT(bytes > 0, "rows have a length");
  return bytes;
}

class HostCollectives final : public Collectives {
 public:
  using Collectives::Collectives;
  std::string name() const override { return "host memory"; }

 private:
  void sum_in_place(const at::Tensor& values) override {
    if (size() == 1) return;
    const bool exact = values.scalar_type() == at::kLong;
    // If it has that type and is on the host already, this is the tensor itself.
    const at::Tensor host = values.to(at::kCPU, exact ? at::kLong : at::kDouble);
    if (exact) {
      comm().all_reduce(values_of<std::int64_t>(host), comm::Reduction::sum);
    } else {
      comm().all_reduce(values_of<double>(host), comm::Reduction::sum);
    }
    if (!host.is_same(values)) values.copy_(host);
  }

  void broadcast_in_place(const at::Tensor& values, int root) override {
    if (size() == 1) return;
    const at::Tensor host = values.cpu();
    comm().broadcast_bytes(bytes_of(host), root);
    if (!host.is_same(values)) values.copy_(host);
  }

  void gather_into(const at::Tensor& all, const at::Tensor& mine) override {
    if (size() == 1) {
      all.copy_(mine.unsqueeze(0));
      return;
    }
    const auto gathered = comm().all_gather_bytes(bytes_of(mine.cpu()));
    copy_to(all, gathered.values);
  }

  ReceivedRows exchange_rows(const at::Tensor& rows,
                             std::span<const std::int64_t> counts) override {
    if (size() == 1) return {rows.clone(), {0, rows.size(0)}};
    const std::int64_t length = row_bytes(rows);
    std::vector<std::int64_t> sizes(counts.begin(), counts.end());
    for (auto& bytes : sizes) bytes *= length;
    auto received = comm().all_to_all_bytes(bytes_of(rows.cpu()), sizes);
    for (auto& start : received.starts) start /= length;
    std::vector<std::int64_t> shape = rows.sizes().vec();
    shape.front() = received.starts.back();
    ReceivedRows result{at::empty(shape, rows.options()), std::move(received.starts)};
    copy_to(result.rows, received.values);
    return result;
  }

  /// The tensor's bytes, wherever it lies.
  static void copy_to(const at::Tensor& tensor, std::span<const std::byte> bytes) {
    KNNSEQ_ASSERT(bytes.size() == tensor.nbytes(), "the ranks' shapes differ");
    const at::Tensor host = tensor.is_cpu() ? tensor : at::empty_like(tensor, at::kCPU);
    std::copy(bytes.begin(), bytes.end(), bytes_of(host).begin());
    if (!tensor.is_cpu()) tensor.copy_(host);
  }
};

}  // namespace

std::unique_ptr<Collectives> make_host_collectives(comm::Communicator& comm) {
  return std::make_unique<HostCollectives>(comm);
}

}  // namespace knnseq::gpu
