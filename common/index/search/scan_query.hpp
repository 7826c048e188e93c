// A query's table, and how well its sums bound distances.
#pragma once

#include <cstdint>
#include <vector>

#include "index/search/scan_centroids.hpp"
#include "index/simd/scan_kernel.hpp"

namespace knnseq::index {

/// For an entry of a list: bound = probe distance + floor + (term + scale · sum of table bytes) is,
/// up to error(), at most the distance. Bytes of a sum count as often as the weights say.
struct ScanQuery {
  const float* padded = nullptr;             ///< [m · padded_dsub], times the metric's factor
  const std::uint8_t* table = nullptr;       ///< [m, 256]
  const std::uint8_t* near_table = nullptr;  ///< [m, scan_near_groups], or none
  ScanWeights weights = {};
  float scale = 0;
  double floor = 0;      ///< sum of the tables' minima
  double magnitude = 0;  ///< no sum of products exceeds it, partial or whole
  std::int64_t additions = 0;

  /// More than what fp32 may have rounded in a bound or distance if the absolute values of probe
  /// distance and term sum to at most `others`.
  double error(double others) const;
};

/// Bytes of a query's tables.
inline std::int64_t scan_table_bytes(const ScanKernel& kernel, std::int64_t m) {
  return m * (256 + (kernel.near_tables ? scan_near_groups : 0));
}

/// Makes the tables. padded: [m · padded_dsub] and tables: [scan_table_bytes(kernel, m)] (aligned
/// to 64 bytes) must outlive the result.
ScanQuery make_scan_query(const ScanKernel& kernel, const ScanCentroids& centroids,
                          const float* padded, std::uint8_t* tables);

}  // namespace knnseq::index
