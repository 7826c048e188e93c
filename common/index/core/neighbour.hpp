// One found entry, and the order in which neighbours stand everywhere.
#pragma once

#include <cstdint>
#include <limits>

#include "core/entry_id.hpp"
#include "core/smallest.hpp"

namespace knnseq::index {

inline constexpr std::int64_t missing_id = -1;
inline constexpr float missing_distance = std::numeric_limits<float>::infinity();

/// The nearer one comes first; of equally near ones that with the smaller entry number. Equal codes
/// are common, and without this rule results would depend on ranks and shards. merge_top_k_torch()
/// and distance_keys() are the same order in operators on tensors.
struct Neighbour {
  float distance = missing_distance;  ///< squared L2 or −(inner product)
  std::int64_t id = missing_id;       ///< packed entry id (core/entry_id.hpp)

  bool operator<(const Neighbour& other) const {
    if (distance != other.distance) return distance < other.distance;
    return core::entry_number_of(id) < core::entry_number_of(other.id);
  }
};

/// The k nearest of the neighbours offered.
using NearestNeighbours = core::Smallest<Neighbour>;

/// Infinite distances and those that are not numbers are not kept: nothing infinite comes before
/// (∞, entry number 0).
inline NearestNeighbours make_nearest(std::int64_t k) {
  return {static_cast<std::size_t>(k), Neighbour{missing_distance, /*id=*/0}};
}

}  // namespace knnseq::index
