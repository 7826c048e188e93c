// Distributed k-means (Lloyd's algorithm, with faiss's treatment of empty clusters).
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <ATen/ATen.h>

#include "comm/communicator.hpp"
#include "index/sample_blocks.hpp"

namespace knnseq::index {

struct KmeansOptions {
  std::int64_t iterations = 10;
  std::uint64_t seed = 1234;
};

/// Centroids after some iterations, and what a caller wants to know about the last of them.
struct Clustering {
  at::Tensor centroids;           ///< k-means: [k, d]; product quantiser: [m, 256, dsub]; fp32
  std::int64_t iterations = 0;    ///< done so far
  double mean_squared_error = 0;  ///< per point, before the last update; 0 where none was made
  std::int64_t splits = 0;        ///< empty clusters in the last iteration
};

/// Called on every rank after each iteration.
using AfterIteration = std::function<void(const Clustering&)>;

/// k rows of the sample, drawn by hash, as the centroids to start from. Collective.
Clustering start_kmeans(comm::Communicator& comm, const SampleBlocks& sample, std::int64_t k,
                        std::uint64_t seed);

/// Goes on from `start` until options.iterations are done. The assignment is exhaustive, local and
/// block by block; sums are exact: the result does not depend on the number of ranks, nor on
/// stopping after an iteration and going on from there. Collective.
/// Throws core::InputError on all ranks where the sample is not finite.
Clustering kmeans(comm::Communicator& comm, const SampleBlocks& sample,
                  const KmeansOptions& options, Clustering start,
                  const AfterIteration& after_iteration = {});

/// The warning faiss gives for too few points per centroid, or nothing ("") where there are enough.
std::string few_points_warning(const std::string& what, std::int64_t points, std::int64_t k);

}  // namespace knnseq::index
