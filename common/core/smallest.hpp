// The best of many items that pass by.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace knnseq::core {

/// Keeps the `capacity` (at least 1) smallest items by operator<, whatever the order in which they
/// come. Where operator< is a total order the result depends on nothing else. A new item is put
/// into its place among those kept. Up to some hundreds that takes less time than a heap, at 512 as
/// much, and with thousands several times as much.
template <class T>
class Smallest {
 public:
  /// Takes only items that are smaller than `limit`.
  Smallest(std::size_t capacity, const T& limit) : capacity_(capacity), limit_(limit), items_() {}

  /// What an item must be smaller than to be kept: the largest item kept, or the limit while there
  /// is room.
  const T& limit() const { return items_.size() < capacity_ ? limit_ : items_.back(); }

  /// Keeps the item if it is smaller than limit(), in place of the largest if there is no room.
  void offer(const T& item) {
    if (!(item < limit())) return;
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

  /// What was kept, ascending; nothing is kept afterwards.
  std::vector<T> take_sorted() { return std::exchange(items_, {}); }

 private:
  static constexpr std::ptrdiff_t together = 16;  ///< that move as a piece

  std::size_t capacity_;
  T limit_;
  std::vector<T> items_;  ///< ascending
};

}  // namespace knnseq::core
