// The best k of a scan that does not order ties, in the order of (distance, entry number).
#pragma once

#include <algorithm>
#include <vector>

#include "index/core/neighbour.hpp"
#include "index/core/top_k.hpp"

namespace knnseq::index {

/// `scan(count)` returns at most `count` of one query's nearest neighbours (fewer where there are
/// no more), of equal distances any. A scan keeps whichever of equal distances it saw first, so
/// more than k are asked for, and more again where the cut falls into a tie.
template <class Scan>
std::vector<Neighbour> certain_top_k(std::size_t k, const Scan& scan) {
  for (std::size_t asked = k + std::max<std::size_t>(8, k / 2);; asked *= 2) {
    std::vector<Neighbour> found = scan(asked);
    std::sort(found.begin(), found.end());
    if (found.size() == asked && found[k - 1].distance == found.back().distance) continue;
    found.resize(std::min(k, found.size()));
    return found;
  }
}

/// No neighbours yet.
inline TopK missing_top_k(std::int64_t queries, std::int64_t k) {
  const auto size = static_cast<std::size_t>(queries * k);
  return {queries, k, std::vector<float>(size, missing_distance),
          std::vector<std::int64_t>(size, missing_id)};
}

/// Writes one query's neighbours, at most k.
inline void set_row(TopK& result, std::int64_t query, const std::vector<Neighbour>& neighbours) {
  auto position = static_cast<std::size_t>(query * result.k);
  for (const Neighbour& neighbour : neighbours) {
    result.distances[position] = neighbour.distance;
    result.ids[position++] = neighbour.id;
  }
}

}  // namespace knnseq::index
