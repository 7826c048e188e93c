// One found entry, and the best of many.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/entry_id.hpp"
#include "index/core/top_k.hpp"

namespace knnseq::index {

/// Ordered by (distance, entry number).
struct Neighbour {
  float distance;
  std::int64_t id;
  bool operator<(const Neighbour& other) const {
    if (distance != other.distance) return distance < other.distance;
    return core::entry_number_of(id) < core::entry_number_of(other.id);
  }
};

/// The k smallest of the neighbours offered, in whatever order they come. Distances that are not
/// numbers or infinite are not kept.
class BestNeighbours {
 public:
  explicit BestNeighbours(std::int64_t k) : k_(static_cast<std::size_t>(k)), heap_() {}

  /// No neighbour with a larger distance will be kept; infinity while there are fewer than k.
  float worst() const { return heap_.size() < k_ ? missing_distance : heap_.front().distance; }

  void offer(const Neighbour& neighbour) {
    if (heap_.size() == k_) {
      if (!(neighbour < heap_.front())) return;
      std::pop_heap(heap_.begin(), heap_.end());
      heap_.back() = neighbour;
    } else {
      if (!(neighbour.distance < missing_distance)) return;
      heap_.push_back(neighbour);
    }
    std::push_heap(heap_.begin(), heap_.end());
  }

  /// Sorts what was kept; nothing may be offered any more.
  const std::vector<Neighbour>& sorted() {
    std::sort_heap(heap_.begin(), heap_.end());
    return heap_;
  }

 private:
  std::size_t k_;
  std::vector<Neighbour> heap_;  ///< the worst on top
};

}  // namespace knnseq::index
