// The best of many items that pass by.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace knnseq::core {

/// Keeps the `capacity` (at least 1) smallest items by operator<, whatever the order in which they
/// come. Where operator< is a total order the result depends on nothing else. Few items are kept
/// in order, a new one being put into its place; more are kept as a heap.
template <class T>
class Smallest {
 public:
  /// Takes only items that are smaller than `limit`.
  Smallest(std::size_t capacity, const T& limit)
      : capacity_(capacity), first_limit_(limit), limit_(limit), items_() {}

  /// What an item must be smaller than to be kept: the largest item kept, or the limit while there
  /// is room.
  const T& limit() const { return limit_; }

  /// Keeps the item if it is smaller than limit(), in place of the largest if there is no room.
  void offer(const T& item) {
    if (!(item < limit_)) return;
    if (capacity_ <= most_in_order) {
      put_in_order(item);
      if (items_.size() == capacity_) limit_ = items_.back();
    } else {
      put_on_heap(item);
      if (items_.size() == capacity_) limit_ = items_.front();
    }
  }

  /// What was kept, ascending; nothing is kept afterwards.
  std::vector<T> take_sorted() {
    if (capacity_ > most_in_order) std::sort_heap(items_.begin(), items_.end());
    limit_ = first_limit_;
    return std::exchange(items_, {});
  }

 private:
  /// Up to here an order takes less time than a heap (docs/benchmarks.md).
  static constexpr std::size_t most_in_order = 512;
  static constexpr std::ptrdiff_t together = 16;  ///< that move as a piece

  void put_in_order(const T& item) {
    if (items_.size() == capacity_) items_.pop_back();
    items_.push_back(item);
    T* const first = items_.data();
    T* place = first + items_.size() - 1;
    for (; place - first >= together && item < place[-together]; place -= together) {
      std::move_backward(place - together, place, place + 1);
    }
    for (; place != first && item < place[-1]; --place) *place = place[-1];
    *place = item;
  }

  void put_on_heap(const T& item) {
    if (items_.size() == capacity_) {
      std::pop_heap(items_.begin(), items_.end());
      items_.pop_back();
    }
    items_.push_back(item);
    std::push_heap(items_.begin(), items_.end());
  }

  std::size_t capacity_;
  T first_limit_;
  T limit_;
  std::vector<T> items_;  ///< ascending, or a heap with the largest on top
};

}  // namespace knnseq::core
