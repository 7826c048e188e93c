// Exhaustive comparison of vectors with centroids, by tiles of a matrix product.
#pragma once

#include <cstdint>
#include <functional>

#include <ATen/ATen.h>

#include "core/views.hpp"

namespace knnseq::index {

/// Inner products of some rows with some centroids.
struct ScoreTile {
  std::int64_t first_row = 0;
  std::int64_t first_centroid = 0;
  core::MatrixView<const float> products;  ///< [rows, centroids]
  const float* norms = nullptr;            ///< [centroids] squared norms

  /// Squared distance less the row's own squared norm.
  float score(std::int64_t row, std::int64_t centroid) const {
    return norms[centroid] - 2 * products.data[row * products.columns + centroid];
  }
};

/// Centroids [k, d] fp32 with their squared norms.
class CentroidScan {
 public:
  explicit CentroidScan(const at::Tensor& centroids);

  /// Calls `visit` for all tiles of x [n, d] fp32: centroids ascend for any one row.
  void visit_tiles(const at::Tensor& x, const std::function<void(const ScoreTile&)>& visit) const;

  /// The nearest centroid of each row, int32 [n]; ties go to the lowest.
  at::Tensor nearest(const at::Tensor& x) const;

  const at::Tensor& centroids() const { return centroids_; }

 private:
  at::Tensor centroids_;
  at::Tensor norms_;
};

}  // namespace knnseq::index
