// A set of entries, a bit each.
#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "core/error.hpp"

namespace knnseq::index {

/// Some of the entries whose numbers are [first, first + size).
class EntrySet {
 public:
  EntrySet(std::int64_t first, std::int64_t size)
      : first_(first), size_(size), words_(static_cast<std::size_t>((size + 63) / 64)) {}

  std::int64_t first() const { return first_; }
  std::int64_t size() const { return size_; }

  bool contains(std::int64_t number) const {
    const auto place = place_of(number);
    return (static_cast<std::uint64_t>(words_[place / 64]) >> (place % 64) & 1) != 0;
  }
  void insert(std::int64_t number) {
    const auto place = place_of(number);
    words_[place / 64] |= static_cast<std::int64_t>(std::uint64_t{1} << (place % 64));
  }
  void insert(const EntrySet& others) {
    KNNSEQ_ASSERT(first_ == others.first_ && size_ == others.size_, "sets of other entries");
    for (std::size_t i = 0; i < words_.size(); ++i) words_[i] |= others.words_[i];
  }
  std::int64_t count() const {
    std::int64_t sum = 0;
    for (const auto word : words_) sum += std::popcount(static_cast<std::uint64_t>(word));
    return sum;
  }
  /// 64 entries each. Of disjoint sets the sums are those of their union.
  std::span<std::int64_t> words() { return words_; }

 private:
  std::size_t place_of(std::int64_t number) const {
    KNNSEQ_ASSERT(number >= first_ && number - first_ < size_, "an entry of another corpus");
    return static_cast<std::size_t>(number - first_);
  }

  std::int64_t first_;
  std::int64_t size_;
  std::vector<std::int64_t> words_;
};

}  // namespace knnseq::index
