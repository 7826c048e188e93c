// The scale for exact sums over the sample.
#pragma once

#include "comm/communicator.hpp"
#include "index/fixed_point_sum.hpp"
#include "index/sample_blocks.hpp"

namespace knnseq::index {

/// The FixedPoint for sums of sample rows, and the exact sum of all their squares.
struct SampleScale {
  FixedPoint fixed_point;
  double squares;
};

/// Collective. Throws core::InputError on all ranks where the sample is not finite.
SampleScale scale_of(comm::Communicator& comm, const SampleBlocks& sample);

}  // namespace knnseq::index
