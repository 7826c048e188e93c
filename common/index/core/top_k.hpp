// The k nearest entries of some queries.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

namespace knnseq::index {

inline constexpr std::int64_t missing_id = -1;
inline constexpr float missing_distance = std::numeric_limits<float>::infinity();

/// Row-major [queries, k], each row in the order of (distance, entry number). Where fewer than k
/// were found the rest is missing_id and missing_distance.
struct TopK {
  std::int64_t queries = 0;
  std::int64_t k = 0;
  std::vector<float> distances;   ///< squared L2 or −(inner product), of the quantised entry
  std::vector<std::int64_t> ids;  ///< packed entry ids (core/entry_id.hpp)
};

}  // namespace knnseq::index
