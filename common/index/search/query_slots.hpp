// Queries of several sets in a rectangle, as tensors take them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace knnseq::index {

/// Some queries of one set.
struct QuerySlot {
  std::int64_t set;
  std::vector<std::int64_t> queries;  ///< their numbers, ascending; never none
};

/// Slots that are searched together, each filled up to `columns` queries.
struct SlotPass {
  std::vector<QuerySlot> slots;  ///< larger sets first
  std::int64_t columns = 0;      ///< the most queries of a slot
};

/// Deals queries (sets [q]: the set of each) to slots of at most most_columns, and consecutive ones
/// to passes of at most most_queries = slots · columns, or of one slot. sizes: of all sets.
std::vector<SlotPass> plan_slots(std::span<const std::int64_t> sets,
                                 std::span<const std::int64_t> sizes, std::int64_t most_columns,
                                 std::int64_t most_queries);

}  // namespace knnseq::index
