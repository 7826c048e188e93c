// The sums that turn an assignment into new centroids, exact for any order and any ranks.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "comm/communicator.hpp"
#include "core/views.hpp"
#include "index/fixed_point_sum.hpp"

namespace knnseq::index {

/// Sums and counts of the points of each cluster.
class ClusterSums {
 public:
  ClusterSums(const FixedPoint& fixed_point, std::int64_t clusters, std::int64_t dim);

  /// Adds rows [dim] to the clusters of `assignment`.
  void add(std::span<const float* const> rows, std::span<const std::int32_t> assignment);
  /// Adds sums [clusters, dim] and counts [clusters] that were rounded at the same scale.
  void merge(std::span<const std::int64_t> sums, std::span<const std::int64_t> counts);

  /// Sums over all ranks. Collective; call once, after the last add().
  void reduce(comm::Communicator& comm);

  /// After reduce(): Σ |x|² − Σ |x − c|² for the centroids [clusters, dim] of the assignment.
  double explained(core::MatrixView<const float> centroids) const;
  /// After reduce(): writes the means of all clusters that are not empty.
  void write_means(core::MatrixView<float> centroids) const;
  std::span<std::int64_t> counts() { return counts_; }
  std::span<const std::int64_t> sums() const { return sums_; }
  const FixedPoint& fixed_point() const { return fixed_point_; }

 private:
  FixedPoint fixed_point_;
  std::int64_t dim_;
  std::vector<std::int64_t> sums_;    ///< [clusters, dim]
  std::vector<std::int64_t> counts_;  ///< [clusters]
};

}  // namespace knnseq::index
