// The inner loop of exact sums of vectors.
#pragma once

#include <cstdint>

namespace knnseq::index {

/// Adds count values, rounded as FixedPoint(scale) does, to as many sums.
using SumKernel = void (*)(const float* values, std::int64_t count, double scale,
                           std::int64_t* sums);

}  // namespace knnseq::index
