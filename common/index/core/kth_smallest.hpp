// Bounds that admit everything that may be among the k smallest.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>

namespace knnseq::index {

/// A number that is not below the k-th smallest of the finite `values`, and above it by at most
/// some thousandths of their range, or a hundredth if they are few; infinity if there are fewer
/// than k. Uses one histogram, not a selection.
float kth_smallest_at_most(std::span<const float> values, std::int64_t k);

/// The same by the minima of groups of scores, if there are enough: k groups have k scores that are
/// at most as large as theirs.
float kth_smallest_at_most(std::span<const float> scores, std::span<const float> minima,
                           std::int64_t k);

/// A float above `value`, so that comparing with < misses nothing; infinity if there is none.
inline float above(double value) {
  constexpr float largest = std::numeric_limits<float>::max();
  if (!(std::abs(value) < static_cast<double>(largest))) {
    return std::numeric_limits<float>::infinity();
  }
  const auto rounded = static_cast<float>(value);
  return rounded + std::max(std::abs(rounded) * 0x1p-23F, std::numeric_limits<float>::min());
}

}  // namespace knnseq::index
