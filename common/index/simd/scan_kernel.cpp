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

/// Products of one sub-vector with its centroids; its minimum; returns maximum less minimum.
float multiply(const ScanTableJob& job, std::int64_t sub_vector) {
  const float* query = job.query + sub_vector * job.query_stride;
  const float* columns = job.columns + sub_vector * job.dsub * 256;
  float* products = job.products + sub_vector * 256;
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
  job.minima[sub_vector] = lowest[0];
  return highest[0] - lowest[0];
}

/// row [256], near [scan_near_groups]
void make_near_table(const std::uint8_t* row, std::uint8_t* near) {
  using Groups [[gnu::vector_size(16)]] = std::uint8_t;
  for (int group = 0; group < scan_near_groups; group += 16) {
    Groups least;
    __builtin_memcpy(&least, row + scan_code_of(group, 0), sizeof(least));
    for (int i = 1; i < 4; ++i) {
      Groups bytes;
      __builtin_memcpy(&bytes, row + scan_code_of(group, i), sizeof(bytes));
      least = bytes < least ? bytes : least;
    }
    __builtin_memcpy(near + group, &least, sizeof(least));
  }
}

void make_table(ScanTableJob& job) {
  job.widest = 0;
  for (std::int64_t s = 0; s < job.m; ++s) {
    const float width = multiply(job, s);
    job.widest = width > job.widest ? width : job.widest;
  }
  const float steps = job.widest > least_scan_width ? job.levels / job.widest : 0;
  for (std::int64_t s = 0; s < job.m; ++s) {
    for (int j = 0; j < 256; j += lanes) {
      const Floats above = load(job.products + s * 256 + j) - job.minima[s];
      const Bytes bytes = to_bytes(above * steps);
      __builtin_memcpy(job.table + s * 256 + j, &bytes, sizeof(bytes));
    }
    make_near_table(job.table + s * 256, job.near_table + s * scan_near_groups);
  }
}

}  // namespace

template <>
ScanKernel scan_kernel<core::compiled_for>() {
  return {make_table, scan};
}

}  // namespace knnseq::index
