#include <ATen/ATen.h>
#include <fmt/format.h>

#include "gpu/collectives.hpp"
#include "gpu/nccl_group.hpp"

namespace knnseq::gpu {

namespace {

std::size_t to_size(std::int64_t count) { return static_cast<std::size_t>(count); }

ncclDataType_t type_of(const at::Tensor& values) {
  if (values.scalar_type() == at::kLong) return ncclInt64;
  return values.scalar_type() == at::kDouble ? ncclFloat64 : ncclFloat32;
}

class NcclCollectives final : public Collectives {
 public:
  NcclCollectives(comm::Communicator& comm, const Device& device, double timeout_seconds)
      : Collectives(comm), group_(comm, device, timeout_seconds) {}

  std::string name() const override { return "NCCL"; }
  void close() override { group_.close(); }

 private:
  void sum_in_place(const at::Tensor& values) override {
    void* const data = values.data_ptr();
    group_.launch("all-reduce", [&](ncclComm_t handle, cudaStream_t stream) {
      return ncclAllReduce(data, data, to_size(values.numel()), type_of(values), ncclSum, handle,
                           stream);
    });
  }

  void broadcast_in_place(const at::Tensor& values, int root) override {
    void* const data = values.data_ptr();
    group_.launch("broadcast", [&](ncclComm_t handle, cudaStream_t stream) {
      return ncclBroadcast(data, data, values.nbytes(), ncclUint8, root, handle, stream);
    });
  }

  void gather_into(const at::Tensor& all, const at::Tensor& mine) override {
    group_.launch("all-gather", [&](ncclComm_t handle, cudaStream_t stream) {
      return ncclAllGather(mine.data_ptr(), all.data_ptr(), mine.nbytes(), ncclUint8, handle,
                           stream);
    });
  }

  ReceivedRows exchange_rows(const at::Tensor& rows,
                             std::span<const std::int64_t> counts) override {
    const std::vector<std::int64_t> one_each(counts.size(), 1);
    const auto receives = comm().all_to_all(counts, one_each).values;
    ReceivedRows result{{}, {0}};
    for (const auto count : receives) result.starts.push_back(result.starts.back() + count);
    std::vector<std::int64_t> shape = rows.sizes().vec();
    shape.front() = result.starts.back();
    result.rows = at::empty(shape, rows.options());
    std::size_t row_bytes = rows.element_size();
    for (const auto length : rows.sizes().slice(1)) row_bytes *= to_size(length);
    group_.launch("all-to-all", [&](ncclComm_t handle, cudaStream_t stream) {
      const auto* from = static_cast<const std::byte*>(rows.data_ptr());
      auto* to = static_cast<std::byte*>(result.rows.data_ptr());
      ncclGroupStart();  // an error between the two is returned by ncclGroupEnd()
      for (int peer = 0; peer < size(); ++peer) {
        const std::size_t sent = to_size(counts[to_size(peer)]) * row_bytes;
        const std::size_t got = to_size(receives[to_size(peer)]) * row_bytes;
        if (sent > 0) ncclSend(from, sent, ncclUint8, peer, handle, stream);
        if (got > 0) ncclRecv(to, got, ncclUint8, peer, handle, stream);
        from += sent;
        to += got;
      }
      return ncclGroupEnd();
    });
    return result;
  }

  NcclGroup group_;
};

}  // namespace

std::unique_ptr<Collectives> make_nccl_collectives(comm::Communicator& comm, const Device& device,
                                                   double timeout_seconds) {
  return std::make_unique<NcclCollectives>(comm, device, timeout_seconds);
}

std::string nccl_version() {
  int version = 0;
  if (ncclGetVersion(&version) != ncclSuccess) return {};
  return fmt::format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

}  // namespace knnseq::gpu
