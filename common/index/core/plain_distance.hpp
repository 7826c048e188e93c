// The distance of two vectors, summed in a fixed order.
#pragma once

#include <cstdint>

#include "index/core/index_spec.hpp"

namespace knnseq::index {

/// Σ term(a[i], b[i]) over vectors [d] fp32, in eight lanes, independent of the compiler.
template <class Term>
float sum_of_terms(const float* a, const float* b, std::int64_t d, Term term) {
  constexpr int lanes = 8;
  float sums[lanes] = {};
  std::int64_t j = 0;
  for (; j + lanes <= d; j += lanes) {
    for (int lane = 0; lane < lanes; ++lane) sums[lane] += term(a[j + lane], b[j + lane]);
  }
  for (; j < d; ++j) sums[0] += term(a[j], b[j]);
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

/// Squared L2 distance, or the inner product with its sign turned, of vectors [d] fp32.
inline float plain_distance(Metric metric, const float* a, const float* b, std::int64_t d) {
  if (is_inner_product(metric)) {
    return -sum_of_terms(a, b, d, [](float x, float y) { return x * y; });
  }
  return sum_of_terms(a, b, d, [](float x, float y) { return (x - y) * (x - y); });
}

}  // namespace knnseq::index
