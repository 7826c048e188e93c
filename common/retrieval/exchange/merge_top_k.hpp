// Merges partial top-k lists.
#pragma once

#include <cstdint>
#include <span>

#include "index/core/top_k.hpp"

namespace knnseq::retrieval {

/// One query's list, in the order of (distance, entry number), missing ones last.
struct NeighbourList {
  std::span<const float> distances;
  std::span<const std::int64_t> ids;
};

/// The best of all lists in the order of (distance, entry number), written to `distances` and
/// `ids` (same size); what is left over becomes missing.
void merge_top_k(std::span<const NeighbourList> lists, std::span<float> distances,
                 std::span<std::int64_t> ids);

}  // namespace knnseq::retrieval
