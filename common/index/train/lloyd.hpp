// Lloyd's alternation of assignment and means, distributed (with faiss's treatment of empty
// clusters): what k-means and the training of product quantisers share.
#pragma once

#include <cstdint>
#include <functional>

#include <ATen/ATen.h>

#include "index/sample/cluster_sums.hpp"
#include "index/sample/sample_scale.hpp"
#include "index/sample/train_context.hpp"

namespace knnseq::index {

/// Centroids after some iterations, and what a caller wants to know about the last of them.
struct Clustering {
  at::Tensor centroids;         ///< k-means: [k, d]; product quantiser: [m, centroids, dsub]; fp32
  std::int64_t iterations = 0;  ///< done so far
  double mean_squared_error = 0;  ///< per point, before the last update; 0 if none was made
  std::int64_t splits = 0;        ///< empty clusters in the last iteration
};

/// Called on every rank after each iteration.
using AfterIteration = std::function<void(const Clustering&)>;

struct LloydProblem {
  std::int64_t iterations = 0;  ///< in all
  std::uint64_t seed = 0;       ///< of what happens to empty clusters
  bool spherical = false;       ///< centroids are brought to length 1 after each iteration
  SampleScale scale;            ///< of the rows that are added
  /// Adds this rank's rows to the sums of their clusters under these centroids; the clusters of
  /// centroids [m, k, d] are numbered from 0 to m · k. May be collective.
  std::function<void(const at::Tensor& centroids, ClusterSums& sums)> assign;
};

/// Resumes from `start` until problem.iterations are done; each of the m clusterings of centroids
/// [m, k, d] splits its own empty clusters. Sums are exact: the result does not depend on the
/// number of ranks, nor on interruptions between iterations. Centroids lie on
/// the context's device. Collective.
Clustering lloyd(const TrainContext& context, const LloydProblem& problem, Clustering start,
                 const AfterIteration& after_iteration = {});

}  // namespace knnseq::index
