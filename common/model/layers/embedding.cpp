#include "model/layers/embedding.hpp"

#include <cmath>

#include <ATen/ATen.h>

#include "core/error.hpp"

namespace knnseq::model {

at::Tensor Embedding::of_tokens(const at::Tensor& ids) const {
  at::Tensor scaled = tokens.index_select(0, ids).to(at::kFloat);
  if (scale != 1.0) scaled.mul_(scale);
  return scaled;
}

at::Tensor Embedding::forward(const at::Tensor& ids, const at::Tensor& places) const {
  return norm(of_tokens(ids).add_(positions.index_select(0, places))).to(dtype);
}

at::Tensor Embedding::forward_at(const at::Tensor& ids, std::int64_t place) const {
  return norm(of_tokens(ids).add_(positions.narrow(0, place, 1))).to(dtype);
}

at::Tensor sinusoidal_positions(std::int64_t max_positions, std::int64_t width) {
  at::Tensor table = at::empty({max_positions, width}, at::kFloat);
  auto* out = table.mutable_data_ptr<float>();
  const std::int64_t half = (width + 1) / 2;
  for (std::int64_t position = 0; position < max_positions; ++position) {
    for (std::int64_t column = 0; column < width; ++column) {
      const std::int64_t i = column < half ? column : column - half;
      const double exponent = 2.0 * static_cast<double>(i) / static_cast<double>(width);
      const double angle = static_cast<double>(position) / std::pow(10000.0, exponent);
      *out++ = static_cast<float>(column < half ? std::sin(angle) : std::cos(angle));
    }
  }
  return table;
}

at::Tensor fairseq_sinusoidal_positions(std::int64_t first, std::int64_t max_positions,
                                        std::int64_t width) {
  const std::int64_t half = width / 2;
  KNNSEQ_ASSERT(half > 1, "fairseq's positions need a width of 4 at least");
  const double step = std::log(10000.0) / static_cast<double>(half - 1);
  const at::Tensor rates = at::exp(at::arange(half, at::kFloat).mul_(-step));
  const at::Tensor places = at::arange(first, first + max_positions, at::kFloat);
  const at::Tensor angles = places.unsqueeze(1) * rates.unsqueeze(0);
  at::Tensor table = at::zeros({max_positions, width}, at::kFloat);
  table.narrow(1, 0, half).copy_(at::sin(angles));
  table.narrow(1, half, half).copy_(at::cos(angles));
  return table;
}

}  // namespace knnseq::model
