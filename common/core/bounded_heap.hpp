// The best of many items that pass by.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace knnseq::core {

/// Keeps the `capacity` (at least 1) smallest items by operator<, whatever the order in which they
/// come. Where operator< is a total order the result depends on nothing else.
template <class T>
class BoundedHeap {
 public:
  /// Takes only items that are smaller than `limit`.
  BoundedHeap(std::size_t capacity, const T& limit)
      : capacity_(capacity), limit_(limit), items_() {}

  /// What an item must be smaller than to be kept: the largest item kept, or the limit while there
  /// is room.
  const T& limit() const { return items_.size() < capacity_ ? limit_ : items_.front(); }

  void offer(const T& item) {
    if (items_.size() == capacity_) {
      if (!(item < items_.front())) return;
      std::pop_heap(items_.begin(), items_.end());
      items_.back() = item;
    } else {
      if (!(item < limit_)) return;
      items_.push_back(item);
    }
    std::push_heap(items_.begin(), items_.end());
  }

  /// What was kept, ascending; the heap is empty afterwards.
  std::vector<T> take_sorted() {
    std::sort_heap(items_.begin(), items_.end());
    return std::exchange(items_, {});
  }

 private:
  std::size_t capacity_;
  T limit_;
  std::vector<T> items_;  ///< the largest in front
};

}  // namespace knnseq::core
