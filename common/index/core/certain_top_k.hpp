// The k nearest of a scan that does not order ties.
#pragma once

#include <algorithm>
#include <functional>
#include <vector>

#include "index/core/top_k.hpp"

namespace knnseq::index {

// A scan keeps whichever of equal distances it saw first. So it is asked for more than k, and for
// more again if the cut falls into a tie; the result has the order of Neighbour.

/// `scan(count)` returns at most `count` of one query's nearest neighbours (fewer if there are no
/// more), of equal distances any.
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

/// The same for all queries at once, on any device: `scan(count)` returns `count` of the nearest
/// neighbours of each query, nearest first, of equal distances any. No more than `most` are asked
/// for; of more equal ones than these whichever `scan` took are kept. Waits for the device, to see
/// whether a cut fell into a tie.
TopK certain_top_k_torch(std::int64_t k, std::int64_t most,
                         const std::function<TopK(std::int64_t)>& scan);

}  // namespace knnseq::index
