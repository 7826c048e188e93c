// The inner loops of asymmetric distance computation, compiled once per instruction set. What is
// inline here has internal linkage: see scan_kernel.hpp.
#pragma once

#include <cstdint>

#include "index/simd/scan_kernel.hpp"

namespace knnseq::index {

/// One query's look-up tables: of every sub-vector the contributions of all 256 centroids to the
/// distance, in fp32, and the same less their minimum in whole steps, rounded down to bytes.
struct AdcTableJob {
  const float* query = nullptr;    ///< [m, dsub]
  const float* columns = nullptr;  ///< [m, dsub, 256], the centroids transposed
  std::int64_t m = 0;
  std::int64_t dsub = 0;
  bool inner_product = false;
  float levels = 0;        ///< the largest number of steps: m · levels < 2^16
  float* table = nullptr;  ///< out: [m, 256], Σ (q − c)², or −Σ q·c, over t ascending
  std::uint8_t* bytes = nullptr;  ///< out: [m, 256]
  float* minima = nullptr;        ///< out: [m]
  float widest = 0;               ///< out: the largest difference within a sub-vector
  double floor = 0;               ///< out: sum of the minima
  double magnitude = 0;           ///< out: sum of the sub-vectors' largest magnitudes
};

/// Scores in rows of 16; a group is one of the 16 lanes of 16 rows, which are a chunk.
inline constexpr std::int64_t score_lanes = 16;
inline constexpr std::int64_t score_chunk = score_lanes * score_lanes;

/// Tables, made with the same bits by every instruction set (no product is fused with a sum), and
/// the scan of blocks with the byte table. find_minima: the smallest score of each group of whole
/// chunks, scores [chunks · score_chunk] without NaN → minima [chunks, score_lanes].
struct AdcKernel {
  const char* name;
  void (*make_table)(AdcTableJob& job);
  void (*find_minima)(const float* scores, std::int64_t chunks, float* minima);
  const ScanKernel* scan;
};

extern const AdcKernel adc_kernel_baseline;
extern const AdcKernel adc_kernel_avx2;
extern const AdcKernel adc_kernel_avx512;

}  // namespace knnseq::index
