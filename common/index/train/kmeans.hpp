// Distributed k-means (Lloyd's algorithm, with faiss's treatment of empty clusters).
#pragma once

#include <cstdint>
#include <string>

#include <ATen/ATen.h>

#include "index/core/coarse_search.hpp"
#include "index/core/index_spec.hpp"
#include "index/sample/sample_blocks.hpp"
#include "index/sample/train_context.hpp"
#include "index/train/lloyd.hpp"

namespace knnseq::index {

struct KmeansOptions {
  std::int64_t iterations = 10;
  std::uint64_t seed = 1234;
  /// For inner products k-means is spherical: centroids have length 1, rows go to the largest
  /// product.
  Metric metric = Metric::l2;
  CoarseSearch search = CoarseSearch::all;
  /// The first half of the iterations use a quarter of the rows, the next fifth half of them (as
  /// long as that leaves ten rows a centroid), the others all.
  bool growing = false;
};

/// k rows of the sample, drawn by hash, as the centroids to start from (of length 1 for inner
/// products), on the context's device. Collective.
Clustering start_kmeans(const TrainContext& context, const SampleBlocks& sample, std::int64_t k,
                        const KmeansOptions& options);

/// Resumes from `start` until options.iterations are done. The sample lies on the context's device.
/// The assignment is local, and in the last two iterations exhaustive; the result does not depend
/// on the number of ranks, nor on interruptions between iterations. Collective.
/// Throws core::InputError on all ranks if the sample is not finite.
Clustering kmeans(const TrainContext& context, const SampleBlocks& sample,
                  const KmeansOptions& options, Clustering start,
                  const AfterIteration& after_iteration = {});

/// The warning faiss gives for too few points per centroid, or "" if there are enough.
std::string few_points_warning(const std::string& what, std::int64_t points, std::int64_t k);

}  // namespace knnseq::index
