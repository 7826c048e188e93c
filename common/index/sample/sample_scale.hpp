// The scale for exact sums over the sample.
#pragma once

#include "index/sample/fixed_point_sum.hpp"
#include "index/sample/sample_blocks.hpp"
#include "index/sample/train_context.hpp"

namespace knnseq::index {

/// The FixedPoint for sums of sample rows, and statistics of the rows that are kept.
struct SampleScale {
  FixedPoint fixed_point;
  double squares = 0;     ///< exact sum of all squared components
  double largest = 0;     ///< magnitude of a component
  std::int64_t rows = 0;  ///< over all ranks
};

/// Of the rows that `subsampling` keeps. Collective. Throws core::InputError on all ranks if one
/// of them is not finite.
SampleScale scale_of(const TrainContext& context, const SampleBlocks& sample,
                     const Subsampling& subsampling = {});

}  // namespace knnseq::index
