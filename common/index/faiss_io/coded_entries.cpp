#include "index/faiss_io/coded_entries.hpp"

#include <algorithm>

#include "core/entry_id.hpp"

namespace knnseq::index {

ListOrder order_by_list(const CodedEntries& entries, std::int64_t nlist) {
  const auto ids = span_of<std::int64_t>(entries.ids);
  const bool has_lists = nlist > 0;
  const auto lists =
      has_lists ? span_of<std::int32_t>(entries.lists) : std::span<const std::int32_t>();
  const auto list_of = [&](std::size_t i) {
    const std::int32_t list = has_lists ? lists[i] : 0;
    KNNSEQ_ASSERT(list >= 0 && (list < nlist || !has_lists), "no such list");
    return static_cast<std::size_t>(list);
  };
  ListOrder order{std::vector<std::uint64_t>(has_lists ? static_cast<std::size_t>(nlist) : 1, 0),
                  std::vector<std::int64_t>(ids.size())};
  for (std::size_t i = 0; i < ids.size(); ++i) ++order.sizes[list_of(i)];
  std::vector<std::int64_t> ends(order.sizes.size(), 0);
  for (std::size_t list = 1; list < ends.size(); ++list) {
    ends[list] = ends[list - 1] + static_cast<std::int64_t>(order.sizes[list - 1]);
  }
  for (std::size_t i = 0; i < ids.size(); ++i) {
    order.positions[ends[list_of(i)]++] = static_cast<std::int64_t>(i);
  }
  const auto by_entry = [&](std::int64_t a, std::int64_t b) {
    return core::entry_number_of(ids[a]) < core::entry_number_of(ids[b]);
  };
  auto begin = order.positions.begin();
  for (const std::uint64_t size : order.sizes) {
    const auto end = begin + static_cast<std::ptrdiff_t>(size);
    if (!std::is_sorted(begin, end, by_entry)) std::sort(begin, end, by_entry);
    begin = end;
  }
  return order;
}

}  // namespace knnseq::index
