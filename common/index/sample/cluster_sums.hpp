// The sums that turn an assignment into new centroids, exact for any order and any ranks. By loops
// in cluster_sums.cpp, by tensors in cluster_sums_torch.cpp.
#pragma once

#include <cstdint>
#include <span>

#include <ATen/ATen.h>

#include "index/sample/fixed_point_sum.hpp"
#include "index/sample/train_context.hpp"

namespace knnseq::index {

/// Sums and counts of the points of each cluster, on the context's device.
class ClusterSums {
 public:
  ClusterSums(const TrainContext& context, const FixedPoint& fixed_point, std::int64_t clusters,
              std::int64_t dim);

  /// Adds rows [dim] to the clusters of `assignment`. Only on CPUs.
  void add(std::span<const float* const> rows, std::span<const std::int32_t> assignment);
  /// Adds x [n, dim] fp32 to the clusters of `assignment` [n], any integers; on any device.
  void add(const at::Tensor& x, const at::Tensor& assignment);
  /// Adds sums [clusters, dim] and counts [clusters] that were rounded at the same scale. Only on
  /// CPUs.
  void merge(std::span<const std::int64_t> sums, std::span<const std::int64_t> counts);

  /// Sums over all ranks. Collective; call once, after the last add().
  void reduce();

  /// After reduce(): Σ |x|² − Σ |x − c|² for the centroids [clusters, dim] of the assignment.
  double explained_sum_of_squares(const at::Tensor& centroids) const;
  /// After reduce(): the centroids [clusters, dim] with the means of all clusters that are not
  /// empty in their place.
  at::Tensor means(const at::Tensor& centroids) const;

  std::int64_t clusters() const { return counts_.size(0); }
  const at::Tensor& sums() const { return sums_; }      ///< int64 [clusters, dim]
  const at::Tensor& counts() const { return counts_; }  ///< int64 [clusters]
  const FixedPoint& fixed_point() const { return fixed_point_; }

 private:
  double explained_torch(const at::Tensor& centroids) const;
  at::Tensor means_torch(const at::Tensor& centroids) const;

  TrainContext team_;
  FixedPoint fixed_point_;
  std::int64_t dim_;
  at::Tensor sums_;
  at::Tensor counts_;
};

}  // namespace knnseq::index
