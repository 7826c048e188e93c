// Σ leftᵀ right over the blocks of all ranks.
#pragma once

#include <ATen/ATen.h>

#include "comm/communicator.hpp"
#include "index/fixed_point_sum.hpp"
#include "index/sample_blocks.hpp"

namespace knnseq::index {

/// A block's product is fp32, the sum over blocks and ranks exact.
class CrossProduct {
 public:
  /// For blocks cut as `sample` is. The largest magnitudes in all blocks, on all ranks alike.
  CrossProduct(const SampleBlocks& sample, double left_largest, double right_largest);

  /// left [n, a], right [n, b], fp32; the same a and b each time.
  void add(const at::Tensor& left, const at::Tensor& right);
  /// fp64 [a, b]. Collective; call once.
  at::Tensor total(comm::Communicator& comm, std::int64_t a, std::int64_t b);

 private:
  FixedPoint fixed_point_;
  std::vector<std::int64_t> sums_;
};

}  // namespace knnseq::index
