// Σ leftᵀ right over the blocks of all ranks.
#pragma once

#include <ATen/ATen.h>

#include "index/sample/fixed_point_sum.hpp"
#include "index/sample/sample_blocks.hpp"
#include "index/sample/train_context.hpp"

namespace knnseq::index {

/// A block's product is fp32, the sum over blocks and ranks exact.
class CrossProduct {
 public:
  /// For blocks cut as `sample` is. The largest magnitudes in all blocks, on all ranks alike.
  CrossProduct(const TrainContext& context, const SampleBlocks& sample, double left_largest,
               double right_largest);

  /// left [n, a], right [n, b], fp32, on the context's device; the same a and b each time.
  void add(const at::Tensor& left, const at::Tensor& right);
  /// fp64 [a, b], on the host. Collective; call once.
  at::Tensor total(std::int64_t a, std::int64_t b);

 private:
  TrainContext team_;
  FixedPoint fixed_point_;
  at::Tensor sums_;  ///< int64 [a, b]
};

}  // namespace knnseq::index
