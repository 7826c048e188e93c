// How many of the true nearest neighbours a search finds.
#pragma once

#include <cstdint>
#include <span>

namespace knnseq::metrics {

/// One query's true neighbours, nearest first; more of them than the k that is asked for, so that
/// those as near as the k-th are known. Missing ones (entry −1) come last.
struct TrueNeighbours {
  std::span<const std::int64_t> entries;
  std::span<const float> distances;
};

/// Whole numbers, so that sums over queries do not depend on their order.
struct RecallCount {
  std::int64_t hits = 0;
  std::int64_t of = 0;

  RecallCount& operator+=(const RecallCount& other);
  double share() const;  ///< 0 for none of none
};

/// How many of the k nearest are among the first k of `found` (entries, −1 where missing; none
/// twice). Neighbours as near as the k-th are all as good as it. `of` is k, or less where there are
/// not so many entries.
RecallCount count_recall(std::span<const std::int64_t> found, const TrueNeighbours& truth,
                         std::int64_t k);

}  // namespace knnseq::metrics
