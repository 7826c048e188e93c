// Asymmetric distance computation.
#pragma once

#include <cstdint>

#include "core/instruction_set.hpp"

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

/// What the codes contribute to the terms of a list's entries (ScanCentroids::terms_of()).
struct TermJob {
  const float* centroid = nullptr;  ///< [m, dsub], the list's
  const float* columns = nullptr;   ///< [m, dsub, 256], the codes' centroids transposed
  std::int64_t m = 0;
  std::int64_t dsub = 0;
  float* terms = nullptr;  ///< out: [m, 256], Σ (2c + r) · r over t ascending
};

struct AdcKernel {
  /// The same bits by every instruction set: no product is fused with a sum.
  void (*make_table)(AdcTableJob& job);
  void (*make_terms)(const TermJob& job);  ///< likewise
  /// The smallest score of each group of whole chunks: scores [chunks · score_chunk] → minima
  /// [chunks, score_lanes]. NaN counts as infinity.
  void (*find_minima)(const float* scores, std::int64_t chunks, float* minima);
};

/// adc_kernel.cpp, compiled for this instruction set.
template <core::InstructionSet set>
AdcKernel adc_kernel();

}  // namespace knnseq::index
