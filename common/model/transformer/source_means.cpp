#include "model/transformer/source_means.hpp"

#include <algorithm>
#include <vector>

#include <ATen/ATen.h>

namespace knnseq::model {

void mean_rows(const at::Tensor& states, std::span<const std::int64_t> starts,
               const at::Tensor& out) {
  const std::int64_t width = states.size(1);
  const auto* in = states.const_data_ptr<float>();
  auto* mean = out.mutable_data_ptr<float>();
  std::vector<double> sums(width);
  for (std::size_t i = 0; i + 1 < starts.size(); ++i) {
    std::ranges::fill(sums, 0.0);
    for (std::int64_t row = starts[i]; row < starts[i + 1]; ++row) {
      for (std::int64_t c = 0; c < width; ++c) sums[c] += in[row * width + c];
    }
    const auto length = static_cast<double>(starts[i + 1] - starts[i]);
    for (const double sum : sums) *mean++ = static_cast<float>(sum / length);
  }
}

at::Tensor source_means(const EncodedSource& encoded) {
  std::vector<std::int64_t> starts = {0};
  for (const auto length : encoded.lengths) starts.push_back(starts.back() + length);
  at::Tensor means = at::empty({std::ssize(encoded.lengths), encoded.states.size(1)}, at::kFloat);
  mean_rows(encoded.states.cpu().contiguous(), starts, means);
  return means;
}

}  // namespace knnseq::model
