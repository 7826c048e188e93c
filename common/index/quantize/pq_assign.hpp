// Nearest product-quantiser centroids of sub-vectors.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/views.hpp"

namespace knnseq::index {

class ClusterSums;

/// Centroids in the order in which the kernel reads them: per sub-vector and centroid its squared
/// norm and then its components times −2.
struct PqTables {
  std::int64_t m = 0;
  std::int64_t dsub = 0;
  std::int64_t centroids = 0;  ///< per sub-vector, at most 256
  std::vector<float> packed;   ///< [m, centroids, 1 + dsub]
};

/// centroids: row-major [m * centroids per sub-vector, dsub].
PqTables make_pq_tables(core::MatrixView<const float> centroids, std::int64_t m);

/// Codes of all rows: for each of the m sub-vectors of x [n, m * dsub] the nearest of its centroids
/// in squared L2 distance, ties to the lowest; codes [n, m], one byte each. Distances stay in
/// registers. Results do not depend on the number of threads (but may on the instruction set, where
/// FMA rounds otherwise).
void pq_assign(core::MatrixView<const float> x, const PqTables& tables,
               core::MatrixView<std::uint8_t> codes);

/// Some rows and where their codes go; codes.data may be null.
struct PqBlock {
  core::MatrixView<const float> x;
  core::MatrixView<std::uint8_t> codes;
};

/// pq_assign() of all blocks that adds every sub-vector to the sum of its centroid in the same
/// pass: cluster s · centroids + code for sub-vector s.
void pq_assign_and_sum(std::span<const PqBlock> blocks, const PqTables& tables, ClusterSums& sums);

}  // namespace knnseq::index
