// What a caller chooses and follows in codebook training.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "index/core/coarse_search.hpp"

namespace knnseq::index {

/// Other defaults follow faiss (ClusteringParameters, IndexIVF, OPQMatrix).
struct TrainOptions {
  std::uint64_t seed = 1234;
  std::int64_t coarse_iterations = 10;
  CoarseSearch coarse_search = CoarseSearch::automatic;
  std::int64_t opq_iterations = 25;           ///< at most
  double opq_tolerance = 1e-3;                ///< OPQ ends when its error falls by a smaller share
  std::int64_t opq_pq_iterations = 2;         ///< k-means iterations inside one of OPQ's
  std::int64_t opq_first_pq_iterations = 10;  ///< the same inside the first one
  std::int64_t pq_iterations = 25;
  /// Coarse k-means uses at most this many rows per list, OPQ and PQ this many per PQ centroid;
  /// of a larger sample those with the smallest hashes of (seed, row); PCA uses at most 1000 rows a
  /// dimension. 0: always all rows.
  std::int64_t max_points_per_centroid = 256;
  std::function<void(const std::string&)> log;   ///< one line per step, on every rank alike
  std::function<void(const std::string&)> warn;  ///< likewise

  /// Throws core::InputError.
  void validate() const;
};

/// Saving and resuming a training.
struct CheckpointHooks {
  /// Called on every rank after every iteration and at the end of every step, with the
  /// same bytes on all ranks; step is "opq", "pca", "coarse" or "pq". Everything trained so far is
  /// in `state`. May be collective, and may throw on all ranks alike to stop the training.
  std::function<void(const std::string& step, std::int64_t iteration,
                     std::span<const std::byte> state)>
      save;
  /// A state that was saved, the same on every rank; empty: from the start.
  std::vector<std::byte> resume;
};

}  // namespace knnseq::index
