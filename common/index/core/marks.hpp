// Few of many scores, chosen without a branch for each.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace knnseq::index {

/// Calls take(i), i ascending, for all of the `count` marks that are 1; the others are 0.
template <class Take>
void visit_marked(const std::uint8_t* marks, std::size_t count, const Take& take) {
  static_assert(std::endian::native == std::endian::little, "the first byte is the lowest");
  constexpr std::size_t together = sizeof(std::uint64_t);
  std::size_t first = 0;
  for (; first + together <= count; first += together) {
    std::uint64_t some = 0;
    std::memcpy(&some, marks + first, together);
    for (; some != 0; some &= some - 1) {
      take(first + static_cast<std::size_t>(std::countr_zero(some)) / 8);
    }
  }
  for (; first < count; ++first) {
    if (marks[first] != 0) take(first);
  }
}

/// Calls take(i), i ascending, for all i below `count` with chosen(i), which is called for every i
/// first: by vector instructions, if it is simple enough. marks: scratch.
template <class Chosen, class Take>
void visit_chosen(std::size_t count, std::vector<std::uint8_t>& marks, const Chosen& chosen,
                  const Take& take) {
  marks.resize(count);
  std::uint8_t* const __restrict mark = marks.data();
  for (std::size_t i = 0; i < count; ++i) mark[i] = static_cast<std::uint8_t>(chosen(i));
  visit_marked(mark, count, take);
}

}  // namespace knnseq::index
