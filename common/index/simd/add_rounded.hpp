// Exact sums of floats: the loop that sum_kernel.cpp and pq_kernel.cpp share.
#pragma once

#include "core/compiled_for.hpp"
#include "index/simd/fixed_point_magic.hpp"

namespace knnseq::index {

namespace {

/// fixed_count 0: the count is known at run time only. The compiler makes vectors of it.
template <int fixed_count>
void add_rounded(const float* __restrict values, std::int64_t count, double scale,
                 std::int64_t* __restrict sums) {
  const std::int64_t size = fixed_count > 0 ? fixed_count : count;
  for (std::int64_t j = 0; j < size; ++j) {
    sums[j] += round_to_fixed_point(static_cast<double>(values[j]), scale);
  }
}

}  // namespace

}  // namespace knnseq::index
