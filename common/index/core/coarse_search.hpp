// How k-means looks for the nearest centroids.
#pragma once

#include <string_view>

namespace knnseq::index {

/// Which centroids a row is compared with while k-means runs on CPUs. On GPUs it is always all: one
/// large product is faster there than many small ones.
enum class CoarseSearch {
  automatic,  ///< near from 16,384 centroids on, below that all
  all,
  near  ///< but in the last two iterations those near the row's cell of a coarser k-means:
        ///< TwoLevelAssignment
};

/// As the config names it.
constexpr std::string_view to_string(CoarseSearch search) {
  switch (search) {
    case CoarseSearch::automatic:
      return "auto";
    case CoarseSearch::all:
      return "all";
    case CoarseSearch::near:
      break;
  }
  return "near";
}

}  // namespace knnseq::index
