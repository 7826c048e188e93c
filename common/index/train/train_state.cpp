#include "index/train/train_state.hpp"

#include <bit>
#include <cstring>

#include "core/error.hpp"
#include "core/hash.hpp"

namespace knnseq::index {

namespace {

constexpr std::uint64_t most_iterations = 1 << 30;
constexpr std::uint64_t magic = 0x32'54'53'51'45'53'4e'4bU;  // "KNSEQST2"

class Writer {
 public:
  void number(std::uint64_t value) { append(&value, sizeof(value)); }
  void tensor(const at::Tensor& tensor) {
    number(tensor.defined() ? static_cast<std::uint64_t>(tensor.dim()) : 0);
    if (!tensor.defined()) return;
    for (const std::int64_t size : tensor.sizes()) number(static_cast<std::uint64_t>(size));
    const at::Tensor dense = tensor.contiguous();
    append(dense.const_data_ptr<float>(), dense.nbytes());
  }
  std::vector<std::byte> finish() {
    number(core::checksum(bytes_));
    return std::move(bytes_);
  }

 private:
  void append(const void* data, std::size_t size) {
    const auto* from = static_cast<const std::byte*>(data);
    bytes_.insert(bytes_.end(), from, from + size);
  }
  std::vector<std::byte> bytes_;
};

class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::uint64_t number() {
    std::uint64_t value = 0;
    std::memcpy(&value, take(sizeof(value)), sizeof(value));
    return value;
  }
  at::Tensor tensor() {
    const std::uint64_t dims = number();
    if (dims == 0) return {};
    if (dims > 3) fail();
    std::vector<std::int64_t> sizes;
    std::size_t size = sizeof(float);
    for (std::uint64_t i = 0; i < dims; ++i) {
      const std::uint64_t extent = number();
      if (extent > 0 && size > bytes_.size() / extent) fail();
      sizes.push_back(static_cast<std::int64_t>(extent));
      size *= extent;
    }
    const std::byte* data = take(size);
    at::Tensor result = at::empty(sizes, at::kFloat);
    std::memcpy(result.mutable_data_ptr<float>(), data, size);
    return result;
  }
  [[noreturn]] static void fail() {
    throw core::InputError("the saved state of a training is damaged");
  }

 private:
  const std::byte* take(std::size_t size) {
    if (size > bytes_.size()) fail();
    const std::byte* data = bytes_.data();
    bytes_ = bytes_.subspan(size);
    return data;
  }
  std::span<const std::byte> bytes_;
};

}  // namespace

std::vector<std::byte> to_bytes(const TrainState& state) {
  Writer writer;
  writer.number(magic);
  writer.number(state.identity);
  writer.number(static_cast<std::uint64_t>(state.step));
  writer.number(static_cast<std::uint64_t>(state.iterations));
  writer.number(std::bit_cast<std::uint64_t>(state.mean_squared_error));
  writer.number(state.converged ? 1 : 0);
  writer.tensor(state.rotation);
  writer.tensor(state.bias);
  writer.tensor(state.coarse_centroids);
  writer.tensor(state.pq_centroids);
  return writer.finish();
}

TrainState train_state_from(std::span<const std::byte> bytes) {
  constexpr std::size_t checksum_bytes = sizeof(std::uint64_t);
  if (bytes.size() < 7 * sizeof(std::uint64_t)) Reader::fail();
  const auto content = bytes.first(bytes.size() - checksum_bytes);
  if (Reader(bytes.last(checksum_bytes)).number() != core::checksum(content)) Reader::fail();
  Reader reader(content);
  if (reader.number() != magic) Reader::fail();
  TrainState state;
  state.identity = reader.number();
  const std::uint64_t step = reader.number();
  if (step > static_cast<std::uint64_t>(TrainStep::done)) Reader::fail();
  state.step = static_cast<TrainStep>(step);
  const std::uint64_t iterations = reader.number();
  if (iterations > most_iterations) Reader::fail();
  state.iterations = static_cast<std::int64_t>(iterations);
  state.mean_squared_error = std::bit_cast<double>(reader.number());
  state.converged = reader.number() != 0;
  state.rotation = reader.tensor();
  state.bias = reader.tensor();
  state.coarse_centroids = reader.tensor();
  state.pq_centroids = reader.tensor();
  return state;
}

void require_fits(const TrainState& state, const IndexSpec& spec) {
  // Whether a step has results: it is over, or has done iterations.
  const auto has = [&](TrainStep step) {
    return state.step > step || (state.step == step && state.iterations > 0);
  };
  const auto require = [](bool needed, const at::Tensor& tensor, at::IntArrayRef shape) {
    if (!needed) return;
    const bool fits =
        tensor.defined() && tensor.sizes() == shape && at::isfinite(tensor).all().item<bool>();
    if (!fits) Reader::fail();
  };
  const bool opq = spec.transform == Transform::opq;
  const bool centred = spec.transform == Transform::pca && !is_inner_product(spec.metric);
  require(spec.transform != Transform::none && has(TrainStep::transform), state.rotation,
          {spec.d_out, spec.d_in});
  require(centred && has(TrainStep::transform), state.bias, {spec.d_out});
  require(spec.has_lists() && has(TrainStep::coarse), state.coarse_centroids,
          {spec.nlist, spec.d_out});
  if (spec.has_quantizer()) {
    require(has(TrainStep::quantizer), state.pq_centroids, {spec.m, spec.centroids(), spec.dsub()});
  }
  if (opq && state.step == TrainStep::transform) {
    require(state.iterations > 0, state.pq_centroids,
            {spec.opq_m, spec.quantizer_centroids(), spec.d_out / spec.opq_m});
  }
}

}  // namespace knnseq::index
