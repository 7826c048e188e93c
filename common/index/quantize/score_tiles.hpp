// gpu::ComputePath::torch: products and distances of rows and centroids, a tile at a time.
#pragma once

#include <cstdint>
#include <functional>

#include <ATen/ATen.h>

#include "index/core/index_spec.hpp"

namespace knnseq::index {

/// Rows of x from `first` on that are worked on together.
using RowTile = std::function<void(std::int64_t first, const at::Tensor& rows)>;

/// Calls `body` for all rows of x, at most `together` at a time.
void for_each_row_tile(const at::Tensor& x, std::int64_t together, const RowTile& body);

/// norms [k] − 2 · inner product, fp32 [rows, centroids], of centroids from `first` on.
using ScoreTileVisitor = std::function<void(std::int64_t first, const at::Tensor& scores)>;

/// Calls `visit` for rows [n, d] fp32 and tiles of 16,384 of the centroids [k, d], which ascend.
void for_each_score_tile(const at::Tensor& rows, const at::Tensor& centroids,
                         const at::Tensor& norms, const ScoreTileVisitor& visit);

/// Distances of each row of rows [n, d] fp32 to the centroids [k, d] fp32 that are its own, lists
/// int64 [n, lists a row]: squared L2 distances, or inner products with their sign turned, fp32
/// [n, lists a row]. Summed in fp64 and rounded once. The gathered centroids are in memory, and as
/// many terms in fp64.
at::Tensor torch_distances(const at::Tensor& rows, const at::Tensor& centroids,
                           const at::Tensor& lists, Metric metric);

}  // namespace knnseq::index
