// Compiled once per instruction set. Include it in the simd_kernels_*.cpp files only, after their
// target pragma: everything here has internal linkage for that reason.
#pragma once

#include "index/simd/fixed_point_magic.hpp"
#include "index/simd/sum_kernel.hpp"

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
