// Nearest product-quantiser centroids of sub-vectors.
#pragma once

#include <cstdint>
#include <vector>

#include "core/views.hpp"

namespace knnseq::index {

/// Centroids in the order in which the kernel reads them: per sub-vector and centroid its squared
/// norm and then its components times −2.
struct PqTables {
  std::int64_t m = 0;
  std::int64_t dsub = 0;
  std::vector<float> packed;  ///< [m, 256, 1 + dsub]
};

/// centroids: row-major [m * 256, dsub].
PqTables make_pq_tables(core::MatrixView<const float> centroids, std::int64_t m);

/// Codes of all rows: for each of the m sub-vectors of x [n, m * dsub] the nearest of its 256
/// centroids in squared L2 distance, ties to the lowest; codes [n, m]. Distances stay in registers.
/// Compiled for AVX-512, AVX2 with FMA and the baseline and chosen at run time; results do not
/// depend on the number of threads (but may on the instruction set, where FMA rounds otherwise).
void pq_assign(core::MatrixView<const float> x, const PqTables& tables,
               core::MatrixView<std::uint8_t> codes);

}  // namespace knnseq::index
