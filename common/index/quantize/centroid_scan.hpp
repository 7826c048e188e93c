// Exhaustive comparison of vectors with centroids.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include <ATen/ATen.h>

#include "core/views.hpp"
#include "gpu/compute_path.hpp"
#include "index/core/index_spec.hpp"
#include "index/quantize/device_nearest.hpp"
#include "index/quantize/nearest_rows.hpp"

namespace knnseq::index {

/// Inner products of some rows with some centroids.
struct ScoreTile {
  std::int64_t first_row = 0;
  std::int64_t first_centroid = 0;
  core::MatrixView<const float> products;  ///< [rows, centroids]
  const float* norms = nullptr;            ///< [centroids] squared norms; zeros for inner products

  /// l2: squared distance less the row's own squared norm; else minus twice the inner product.
  float score(std::int64_t row, std::int64_t centroid) const {
    return norms[centroid] - 2 * products.data[row * products.columns + centroid];
  }
};

/// Centroids [k, d] fp32 with their squared norms.
class CentroidScan {
 public:
  explicit CentroidScan(const at::Tensor& centroids, Metric metric = Metric::l2)
      : CentroidScan(centroids, metric, gpu::compute_path_on(centroids.device())) {}
  CentroidScan(const at::Tensor& centroids, Metric metric, gpu::ComputePath path);

  /// Calls `visit` for all tiles of x [n, d] fp32: centroids ascend for any one row. Products round
  /// as the matrix library does for these rows. Only of gpu::ComputePath::cpu.
  void visit_tiles(const at::Tensor& x, const std::function<void(const ScoreTile&)>& visit) const;

  /// The nearest centroid of each row, int32 [n], on the device of x and the centroids; ties go to
  /// the lowest. Compared in fp32 (by gpu::ComputePath::torch: as DeviceNearest does); a row's
  /// result does not depend on the other rows.
  at::Tensor nearest(const at::Tensor& x) const;
  /// Likewise, of rows that lie anywhere. Only of gpu::ComputePath::cpu.
  std::vector<std::int32_t> nearest(const RowPointers& rows) const;

  const at::Tensor& centroids() const { return centroids_; }
  /// fp32 [k]; zeros for inner products
  const at::Tensor& norms() const { return norms_; }
  gpu::ComputePath path() const { return path_; }
  ScoredCentroids scored() const;

 private:
  at::Tensor centroids_;
  at::Tensor norms_;
  gpu::ComputePath path_;
  std::vector<std::int32_t> all_;             ///< 0 … k − 1
  std::optional<DeviceNearest> by_products_;  ///< of gpu::ComputePath::torch
};

}  // namespace knnseq::index
