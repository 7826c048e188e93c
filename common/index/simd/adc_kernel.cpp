#include "index/simd/adc_kernel.hpp"

#include "index/simd/lanes.hpp"
#include "index/simd/scan_kernel.hpp"

namespace knnseq::index {

namespace {

// Contributions of centroids side by side are summed over the components in order, each lane for
// itself, so that the number of lanes makes no difference.

struct Extent {
  float low, high;
};

/// Writes the contributions of one sub-vector's centroids.
template <bool inner_product>
Extent contributions(const AdcTableJob& job, std::int64_t sub_vector) {
  const float* query = job.query + sub_vector * job.dsub;
  const float* columns = job.columns + sub_vector * job.dsub * 256;
  float* table = job.table + sub_vector * 256;
  Floats lowest = Floats{} + __builtin_inff();
  Floats highest = Floats{} - __builtin_inff();
  for (int j = 0; j < 256; j += lanes) {
    Floats sum{};
    for (std::int64_t t = 0; t < job.dsub; ++t) {
      const Floats column = load(columns + t * 256 + j);
      if constexpr (inner_product) {
        sum -= query[t] * column;
      } else {
        const Floats difference = query[t] - column;
        sum += difference * difference;
      }
    }
    __builtin_memcpy(table + j, &sum, sizeof(sum));
    lowest = sum < lowest ? sum : lowest;
    highest = sum > highest ? sum : highest;
  }
  float low[lanes], high[lanes];
  __builtin_memcpy(low, &lowest, sizeof(low));
  __builtin_memcpy(high, &highest, sizeof(high));
  Extent extent{low[0], high[0]};
  for (int lane = 1; lane < lanes; ++lane) {
    extent.low = low[lane] < extent.low ? low[lane] : extent.low;
    extent.high = high[lane] > extent.high ? high[lane] : extent.high;
  }
  return extent;
}

void round_down(const AdcTableJob& job, std::int64_t sub_vector, float steps) {
  for (int j = 0; j < 256; j += lanes) {
    const Floats above = load(job.table + sub_vector * 256 + j) - job.minima[sub_vector];
    const Bytes bytes = to_bytes(above * steps);
    __builtin_memcpy(job.bytes + sub_vector * 256 + j, &bytes, sizeof(bytes));
  }
}

void make_adc_table(AdcTableJob& job) {
  job.widest = 0;
  job.floor = 0;
  job.magnitude = 0;
  for (std::int64_t s = 0; s < job.m; ++s) {
    const Extent extent =
        job.inner_product ? contributions<true>(job, s) : contributions<false>(job, s);
    job.minima[s] = extent.low;
    const float width = extent.high - extent.low;
    job.widest = width > job.widest ? width : job.widest;
    job.floor += static_cast<double>(extent.low);
    job.magnitude += static_cast<double>(-extent.low > extent.high ? -extent.low : extent.high);
  }
  const float steps = job.widest > least_scan_width ? job.levels / job.widest : 0;
  for (std::int64_t s = 0; s < job.m; ++s) round_down(job, s, steps);
}

void make_terms(const TermJob& job) {
  for (std::int64_t s = 0; s < job.m; ++s) {
    const float* const part = job.centroid + s * job.dsub;
    const float* const columns = job.columns + s * job.dsub * 256;
    for (std::int64_t j = 0; j < 256; j += lanes) {
      Floats sum{};
      for (std::int64_t t = 0; t < job.dsub; ++t) {
        const Floats r = load(columns + t * 256 + j);
        sum += (2 * part[t] + r) * r;
      }
      __builtin_memcpy(job.terms + s * 256 + j, &sum, sizeof(sum));
    }
  }
}

void find_minima(const float* scores, std::int64_t chunks, float* minima) {
  for (; chunks > 0; --chunks, scores += score_chunk, minima += score_lanes) {
    for (int first = 0; first < score_lanes; first += lanes) {
      Floats lowest = Floats{} + __builtin_inff();
      for (std::int64_t i = first; i < score_chunk; i += score_lanes) {
        const Floats row = load(scores + i);
        lowest = row < lowest ? row : lowest;
      }
      __builtin_memcpy(minima + first, &lowest, sizeof(lowest));
    }
  }
}

}  // namespace

template <>
AdcKernel adc_kernel<core::compiled_for>() {
  return {make_adc_table, make_terms, find_minima};
}

}  // namespace knnseq::index
