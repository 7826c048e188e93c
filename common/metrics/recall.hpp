// How many of the true nearest neighbours a search finds.
#pragma once

#include <cstdint>
#include <span>

namespace knnseq::metrics {

/// Whole numbers, so that sums over queries do not depend on their order.
struct RecallCount {
  std::int64_t hits = 0;
  std::int64_t of = 0;

  RecallCount& operator+=(const RecallCount& other);
  double share() const;  ///< 0 if there are no neighbours
};

/// How many of the k nearest are among the first k of `found` (entries, −1 if missing; none
/// twice). nearest: the true entries in order, −1 if missing, with their distances; more of them
/// than k, so that those as near as the k-th are known: all are as good as it. `of` is k, or less
/// if there are not so many entries.
RecallCount count_recall(std::span<const std::int64_t> found, std::span<const std::int64_t> nearest,
                         std::span<const float> distances, std::int64_t k);

}  // namespace knnseq::metrics
