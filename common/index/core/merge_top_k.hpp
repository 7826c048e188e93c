// The k nearest among several results for the same queries.
#pragma once

#include <cstdint>

#include "index/core/top_k.hpp"

namespace knnseq::index {

/// The k nearest of each row of `candidates`, in the order of Neighbour, missing ones last. A row
/// [n · parts] holds the results of several searches side by side, each in order and of `k`
/// columns; in merge_top_k_torch() it may be any n ≥ k candidates in any order.
/// In the host's memory, row by row.
TopK merge_top_k_cpu(const TopK& candidates, std::int64_t k);
/// On any device, by two stable sorts; waits for nothing.
TopK merge_top_k_torch(const TopK& candidates, std::int64_t k);

}  // namespace knnseq::index
