// Few of many scores, chosen without a branch for each.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace knnseq::index {

/// Calls take(i), i ascending, for all i below `count` with chosen(i), which is called for every i
/// first: by vector instructions, if it is simple enough. marks: scratch.
template <class Chosen, class Take>
void visit_chosen(std::size_t count, std::vector<std::uint8_t>& marks, const Chosen& chosen,
                  const Take& take) {
  constexpr std::size_t together = sizeof(std::uint64_t);
  static_assert(std::endian::native == std::endian::little, "the first byte is the lowest");
  marks.resize((count + together - 1) / together * together);
  std::uint8_t* const __restrict mark = marks.data();
  for (std::size_t i = 0; i < count; ++i) mark[i] = static_cast<std::uint8_t>(chosen(i));
  for (std::size_t i = count; i < marks.size(); ++i) mark[i] = 0;
  for (std::size_t first = 0; first < marks.size(); first += together) {
    std::uint64_t some = 0;
    std::memcpy(&some, mark + first, together);
    for (; some != 0; some &= some - 1) {
      take(first + static_cast<std::size_t>(std::countr_zero(some)) / 8);
    }
  }
}

}  // namespace knnseq::index
