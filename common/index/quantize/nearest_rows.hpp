// Nearest centroids of rows, by the kernel of this CPU.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <ATen/ATen.h>

namespace knnseq::index {

/// Pointers to rows of the same width, which lie anywhere.
using RowPointers = std::vector<const float*>;

/// Appends pointers to all rows of a contiguous fp32 tensor [n, d], which must live on.
void append_rows(const at::Tensor& x, RowPointers& rows);

/// Centroids [k, d] and what is subtracted from: a score is norms[c] − 2 · product.
struct ScoredCentroids {
  const float* centroids = nullptr;  ///< [k, d]
  const float* norms = nullptr;      ///< [k]
  std::int64_t d = 0;
};

/// Rows by their numbers, and the centroids they are compared with, ascending.
struct NearestJob {
  std::span<const std::int32_t> rows;
  std::span<const std::int32_t> list;
};

/// For each row of each job the centroid of its list with the lowest score, ties to the lowest:
/// written to nearest[row]. A row's result depends on the row and the list alone. Shared by the
/// threads of this rank.
void find_nearest(const RowPointers& rows, const ScoredCentroids& centroids,
                  std::span<const NearestJob> jobs, std::int32_t* nearest);

}  // namespace knnseq::index
