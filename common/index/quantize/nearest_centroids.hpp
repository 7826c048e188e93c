// The nearest of some centroids. By the kernel of this CPU in nearest_centroids_cpu.cpp, by tensors
// of any device in nearest_centroids_torch.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <ATen/ATen.h>

#include "core/views.hpp"
#include "gpu/compute_path.hpp"
#include "index/core/index_spec.hpp"
#include "index/quantize/score_bounds.hpp"

namespace knnseq::index {

/// Pointers to rows of the same width, which lie anywhere.
using RowPointers = std::vector<const float*>;

/// Appends pointers to all rows of a contiguous fp32 tensor [n, d], which must outlive them.
void append_rows(const at::Tensor& x, RowPointers& rows);

struct PanelShape {
  std::int64_t rows;
  std::int64_t d;
};

/// The rows of these numbers as columns [d, panel rows]; where there is no row, zeros.
void transpose_rows(const RowPointers& rows, std::span<const std::int32_t> numbers,
                    const PanelShape& panel, float* columns);

/// Centroids [k, d] and their norms: a score is norms[c] − 2 · product.
struct ScoredCentroids {
  const float* centroids = nullptr;  ///< [k, d]
  const float* norms = nullptr;      ///< [k]
  std::int64_t d = 0;
};

/// Inner products of some rows with some centroids.
struct ScoreTile {
  core::MatrixView<const float> products;  ///< [rows, centroids]
  const float* norms = nullptr;            ///< [centroids] squared norms; zeros for inner products

  /// l2: squared distance less the row's own squared norm; else minus twice the inner product.
  float score(std::int64_t row, std::int64_t centroid) const {
    return norms[centroid] - 2 * products.data[row * products.columns + centroid];
  }
};

/// gpu::ComputePath::torch: nearest centroids by matrix products in bf16, exact nevertheless.
/// Matrix products of rounded vectors bound how near the centroids of each group can be
/// (ScoreBounds); the group with the lowest bound is measured, and then every other one that could
/// hold a centroid as near. So the result is that of measuring all centroids, whatever the products
/// were rounded to.
class BoundedNearest {
 public:
  /// centroids: fp32 [k, d], finite, contiguous. dtype: what products are made of, bf16 or fp32.
  BoundedNearest(const at::Tensor& centroids, Metric metric, at::ScalarType dtype = at::kBFloat16);

  /// For each row of x [n, d] fp32 the centroid with the lowest distance as torch_distances() has
  /// it, fp32 summed in fp64; ties to the lowest: int32 [n], all on one device. A row's result does
  /// not depend on the others, except for the order in which the device sums in fp64. Waits for the
  /// device once every 4,096 rows (fewer from 65,537 centroids on), and has 256 MiB of bounds and
  /// products in memory. If `measured` is given, the number of distances that were measured is
  /// added to it.
  at::Tensor nearest(const at::Tensor& x, std::int64_t* measured = nullptr) const;

 private:
  /// Lowers best [n], all_distance_keys() of (distance, centroid), to the lowest of the groups
  /// [pairs] of rows x that `rows` [pairs] names, both int64.
  void measure(const at::Tensor& x, const at::Tensor& rows, const at::Tensor& groups,
               at::Tensor& best) const;

  at::Tensor centroids_;
  Metric metric_;
  ScoreBounds bounds_;
};

/// Centroids [k, d] fp32 with their squared norms.
class CentroidScan {
 public:
  explicit CentroidScan(const at::Tensor& centroids, Metric metric = Metric::l2)
      : CentroidScan(centroids, metric, gpu::compute_path_on(centroids.device())) {}
  CentroidScan(const at::Tensor& centroids, Metric metric, gpu::ComputePath path);

  /// The nearest centroid of each row, int32 [n], on the device of x and the centroids; ties go to
  /// the lowest. Compared in fp32 (by gpu::ComputePath::torch: as BoundedNearest does); a row's
  /// result does not depend on the other rows.
  at::Tensor nearest(const at::Tensor& x) const;
  /// Likewise, of rows anywhere in memory. Only of gpu::ComputePath::cpu.
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
  std::vector<std::int32_t> all_;            ///< 0 … k − 1
  std::optional<BoundedNearest> by_bounds_;  ///< of gpu::ComputePath::torch
};

/// Rows by their numbers, and the centroids they are compared with, ascending.
struct NearestJob {
  std::span<const std::int32_t> rows;
  std::span<const std::int32_t> list;
};

/// gpu::ComputePath::cpu: for each row of each job the centroid of its list with the lowest score,
/// ties to the lowest: written to nearest[row]. A row's result depends on the row and the list
/// alone. Shared by the threads of this rank.
void find_nearest(const RowPointers& rows, const ScoredCentroids& centroids,
                  std::span<const NearestJob> jobs, std::int32_t* nearest);

}  // namespace knnseq::index
