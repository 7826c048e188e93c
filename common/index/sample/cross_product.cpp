#include "index/sample/cross_product.hpp"

#include "index/core/parallel.hpp"
#include "index/simd/simd_kernels.hpp"

namespace knnseq::index {

// Twice what a component of a block's product can be leaves room for rounding.
CrossProduct::CrossProduct(const TrainContext& context, const SampleBlocks& sample,
                           double left_largest, double right_largest)
    : team_(context),
      fixed_point_(2 * static_cast<double>(sample.block_rows) * left_largest * right_largest,
                   sample.total_blocks()) {}

void CrossProduct::add(const at::Tensor& left, const at::Tensor& right) {
  const at::Tensor product = at::mm(left.t(), right).contiguous();
  if (!sums_.defined()) sums_ = at::zeros(product.sizes(), product.options().dtype(at::kLong));
  if (team_.path == gpu::ComputePath::torch) {
    sums_.add_(fixed_point_.round(product));
    return;
  }
  auto* const sums = sums_.mutable_data_ptr<std::int64_t>();
  parallel_ranges(product.numel(), [&](core::Range range) {
    simd_kernels().sum(product.const_data_ptr<float>() + range.begin, range.size(),
                       fixed_point_.scale(), sums + range.begin);
  });
}

at::Tensor CrossProduct::total(std::int64_t a, std::int64_t b) {
  if (!sums_.defined()) {  // a rank without blocks
    sums_ = at::zeros({a, b}, at::TensorOptions(team_.device).dtype(at::kLong));
  }
  team_.sum(sums_);
  return fixed_point_.value(sums_.cpu());
}

}  // namespace knnseq::index
