// How k-means looks for the nearest centroids.
#pragma once

#include <cstdint>

#include "core/enum_names.hpp"

namespace knnseq::index {

/// Centroids from which on `automatic` is `near`.
inline constexpr std::int64_t near_search_lists = 1 << 14;

/// Which centroids a row is compared with while k-means runs on CPUs. On GPUs it is always all: one
/// large product is faster there than many small ones.
enum class CoarseSearch {
  automatic,  ///< near from 16,384 centroids on, below that all
  all,
  near  ///< but in the last two iterations those near the row's cell of a coarser k-means:
        ///< TwoLevelAssignment
};

constexpr auto names_of(CoarseSearch) {
  return core::enum_names<CoarseSearch>({{CoarseSearch::automatic, "auto"},
                                         {CoarseSearch::all, "all"},
                                         {CoarseSearch::near, "near"}});
}

}  // namespace knnseq::index
