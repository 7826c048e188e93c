#include "index/search/query_slots.hpp"

#include <algorithm>
#include <utility>

namespace knnseq::index {

namespace {

/// Slots in the order of the sets.
std::vector<QuerySlot> distribute(std::span<const std::int64_t> sets, std::size_t count,
                                  std::int64_t most_columns) {
  std::vector<std::vector<std::int64_t>> by_set(count);
  for (std::size_t i = 0; i < sets.size(); ++i) {
    by_set[sets[i]].push_back(static_cast<std::int64_t>(i));
  }
  std::vector<QuerySlot> slots;
  for (std::size_t set = 0; set < count; ++set) {
    const auto& queries = by_set[set];
    for (auto first = queries.begin(); first != queries.end();) {
      const auto last = first + std::min(most_columns, queries.end() - first);
      slots.push_back({static_cast<std::int64_t>(set), {first, last}});
      first = last;
    }
  }
  return slots;
}

}  // namespace

std::vector<SlotPass> plan_slots(std::span<const std::int64_t> sets,
                                 std::span<const std::int64_t> sizes, std::int64_t most_columns,
                                 std::int64_t most_queries) {
  auto slots = distribute(sets, sizes.size(), most_columns);
  std::ranges::stable_sort(
      slots, [&](const QuerySlot& a, const QuerySlot& b) { return sizes[a.set] > sizes[b.set]; });
  std::vector<SlotPass> passes;
  for (QuerySlot& slot : slots) {
    const std::int64_t own = std::ssize(slot.queries);
    const std::int64_t columns = passes.empty() ? own : std::max(passes.back().columns, own);
    if (passes.empty() || (std::ssize(passes.back().slots) + 1) * columns > most_queries) {
      passes.push_back({{}, own});
    }
    passes.back().columns = std::max(passes.back().columns, own);
    passes.back().slots.push_back(std::move(slot));
  }
  return passes;
}

}  // namespace knnseq::index
