#include "index/simd/scan_kernel.hpp"

#include "index/simd/lanes.hpp"
// scan(): the same sums, by the instructions there are.
#if defined(__AVX512VBMI__)
#include "index/simd/scan_kernel_avx512_vbmi.hpp"
#elif defined(__AVX2__)
#include "index/simd/scan_kernel_avx2.hpp"
#else
#include "index/simd/scan_kernel_baseline.hpp"
#endif

namespace knnseq::index {

namespace {

/// Products of a row's sub-vector with its centroids; their minimum and width.
void multiply(const ScanTableJob& job, std::int64_t row) {
  const std::int64_t sub_vector = job.order[row];
  const float* query = job.query + sub_vector * job.query_stride;
  const float* columns = job.columns + sub_vector * job.dsub * 256;
  float* products = job.products + row * 256;
  Floats lowest = Floats{} + __builtin_inff();
  Floats highest = Floats{} - __builtin_inff();
  for (int j = 0; j < 256; j += lanes) {
    Floats product{};
    for (std::int64_t t = 0; t < job.dsub; ++t) product += query[t] * load(columns + t * 256 + j);
    __builtin_memcpy(products + j, &product, sizeof(product));
    lowest = product < lowest ? product : lowest;
    highest = product > highest ? product : highest;
  }
  for (int lane = 1; lane < lanes; ++lane) {
    lowest[0] = lowest[lane] < lowest[0] ? lowest[lane] : lowest[0];
    highest[0] = highest[lane] > highest[0] ? highest[lane] : highest[0];
  }
  job.minima[row] = lowest[0];
  job.widths[row] = highest[0] - lowest[0];
}

/// row [256], near [scan_near_groups]
[[maybe_unused]] void make_near_row(const std::uint8_t* row, std::uint8_t* near) {
  using Groups [[gnu::vector_size(16)]] = std::uint8_t;
  for (int group = 0; group < scan_near_groups; group += 16) {
    Groups least;
    __builtin_memcpy(&least, row + scan_code_of(group, 0), sizeof(least));
    for (int i = 1; i < 4; ++i) {
      Groups bytes;
      __builtin_memcpy(&bytes, row + scan_code_of(group, i), sizeof(bytes));
      least = bytes < least ? bytes : least;
    }
    least >>= 1;
    __builtin_memcpy(near + group, &least, sizeof(least));
  }
}

/// Rows of one weight end after so many, or at the last: mostly at the same for all queries, so
/// that the processor foresees where its loops do.
constexpr std::int64_t rows_of_weight = 8;

/// Where the rows whose width exceeds the limit have ended.
std::int64_t end_of_wider(const ScanTableJob& job, float limit) {
  std::int64_t end = job.m;
  while (end > 0 && !(job.widths[end - 1] > limit)) --end;
  end = (end + rows_of_weight - 1) / rows_of_weight * rows_of_weight;
  return end < job.m ? end : job.m;
}

void make_table(ScanTableJob& job) {
  job.widest = 0;
  for (std::int64_t row = 0; row < job.m; ++row) {
    multiply(job, row);
    job.widest = job.widths[row] > job.widest ? job.widths[row] : job.widest;
  }
  job.weights = {};
  if (job.halvings == 2) job.weights.fours = end_of_wider(job, job.widest / 2);
  const auto parts = static_cast<float>(1 << job.halvings);
  if (job.halvings > 0) job.weights.twos = end_of_wider(job, job.widest / parts);
  const float steps = job.widest > least_scan_width ? job.levels / job.widest * parts : 0;
  for (std::int64_t row = 0; row < job.m; ++row) {
    const float weight = row < job.weights.fours ? 4 : row < job.weights.twos ? 2 : 1;
    for (int j = 0; j < 256; j += lanes) {
      const Floats above = load(job.products + row * 256 + j) - job.minima[row];
      const Bytes bytes = to_bytes(above * (steps / weight));
      __builtin_memcpy(job.table + row * 256 + j, &bytes, sizeof(bytes));
    }
    if constexpr (near_tables) {
      make_near_row(job.table + row * 256, job.near_table + row * scan_near_groups);
    }
  }
}

}  // namespace

template <>
ScanKernel scan_kernel<core::compiled_for>() {
  return {near_tables, make_table, scan};
}

}  // namespace knnseq::index
