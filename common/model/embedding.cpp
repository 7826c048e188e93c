#include "model/embedding.hpp"

#include <cmath>

#include <ATen/ATen.h>

namespace knnseq::model {

at::Tensor Embedding::forward(const at::Tensor& ids, const at::Tensor& places) const {
  at::Tensor sum = tokens.index_select(0, ids);
  if (scale != 1.0) sum.mul_(scale);
  return norm(sum.add_(positions.index_select(0, places)));
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

}  // namespace knnseq::model
