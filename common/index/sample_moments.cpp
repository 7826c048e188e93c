#include "index/sample_moments.hpp"

#include <algorithm>

#include "index/fixed_point_sum.hpp"
#include "index/root_tensor.hpp"
#include "index/sample_selection.hpp"

namespace knnseq::index {

at::Tensor column_means(comm::Communicator& comm, const SampleBlocks& sample) {
  std::vector<at::Tensor> blocks;
  double largest = 0;
  for (const at::Tensor& stored : sample.blocks) {
    blocks.push_back(stored.to(at::kFloat).contiguous());
    const auto size = static_cast<std::size_t>(blocks.back().numel());
    largest = std::max(largest, largest_magnitude({blocks.back().const_data_ptr<float>(), size}));
  }
  FixedPointSum sums(agree_on_fixed_point(comm, largest, sample.total_rows), sample.dim);
  for (const at::Tensor& block : blocks) {
    const float* row = block.const_data_ptr<float>();
    for (std::int64_t i = 0; i < block.size(0); ++i, row += sample.dim) {
      sums.add(std::span(row, static_cast<std::size_t>(sample.dim)));
    }
  }
  const auto total = sums.total(comm);
  return (double_matrix(total, 1, sample.dim) / static_cast<double>(sample.total_rows))
      .squeeze(0)
      .to(at::kFloat);
}

SampleBlocks centred(const SampleBlocks& sample, const at::Tensor& means) {
  return map_blocks(sample, sample.dim, [&](const at::Tensor& block) { return block - means; });
}

at::Tensor cross_product(comm::Communicator& comm, const SampleBlocks& left,
                         const SampleBlocks& right) {
  // |leftᵀ right| ≤ ‖left‖ ‖right‖ element by element; twice that leaves room for rounding.
  double bound = 0;
  for (std::size_t b = 0; b < left.blocks.size(); ++b) {
    const double product =
        at::norm(left.blocks[b]).item<double>() * at::norm(right.blocks[b]).item<double>();
    bound = std::max(bound, 2 * product);
  }
  FixedPointSum sums(agree_on_fixed_point(comm, bound, left.total_rows), left.dim * right.dim);
  for (std::size_t b = 0; b < left.blocks.size(); ++b) {
    const at::Tensor product = at::mm(left.blocks[b].t(), right.blocks[b]).contiguous();
    sums.add(std::span(product.const_data_ptr<float>(), static_cast<std::size_t>(product.numel())));
  }
  return double_matrix(sums.total(comm), left.dim, right.dim);
}

}  // namespace knnseq::index
