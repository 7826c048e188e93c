// Bounds that admit everything that may be among the k smallest.
#pragma once

#include <cstdint>
#include <span>

namespace knnseq::index {

/// A number that is not below the k-th smallest of the finite `values`, and above it by at most
/// some thousandths of their range; infinity if there are fewer than k. Uses one histogram, not a
/// selection.
float kth_smallest_at_most(std::span<const float> values, std::int64_t k);

/// The float above `value`, so that comparing with < misses nothing; infinity if there is none.
float above(double value);

}  // namespace knnseq::index
