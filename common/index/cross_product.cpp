#include "index/cross_product.hpp"

#include "index/parallel.hpp"
#include "index/root_tensor.hpp"
#include "index/simd_kernels.hpp"

namespace knnseq::index {

// Twice what a component of a block's product can be leaves room for rounding.
CrossProduct::CrossProduct(const SampleBlocks& sample, double left_largest, double right_largest)
    : fixed_point_(2 * static_cast<double>(sample.block_rows) * left_largest * right_largest,
                   sample.total_blocks()) {}

void CrossProduct::add(const at::Tensor& left, const at::Tensor& right) {
  const at::Tensor product = at::mm(left.t(), right).contiguous();
  const std::int64_t size = product.numel();
  sums_.resize(static_cast<std::size_t>(size));
  parallel_ranges(size, [&](core::Range range) {
    simd_kernels().sum(product.const_data_ptr<float>() + range.begin, range.size(),
                       fixed_point_.scale(), sums_.data() + range.begin);
  });
}

at::Tensor CrossProduct::total(comm::Communicator& comm, std::int64_t a, std::int64_t b) {
  sums_.resize(static_cast<std::size_t>(a * b));  // a rank without blocks has none yet
  comm.all_reduce(std::span(sums_), comm::Reduction::sum);
  at::Tensor result = at::empty({a, b}, at::kDouble);
  auto* to = result.mutable_data_ptr<double>();
  for (const std::int64_t sum : sums_) *to++ = fixed_point_.value(sum);
  return result;
}

}  // namespace knnseq::index
