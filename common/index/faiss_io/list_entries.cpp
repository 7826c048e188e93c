#include "index/faiss_io/list_entries.hpp"

#include <algorithm>
#include <cstring>

#include <faiss/IndexFlatCodes.h>
#include <faiss/IndexHNSW.h>
#include <faiss/IndexIVF.h>
#include <faiss/IndexPQFastScan.h>
#include <faiss/impl/pq4_fast_scan.h>
#include <faiss/invlists/InvertedLists.h>

#include "core/entry_id.hpp"

namespace knnseq::index {

namespace {

/// Positions of the ids in the order of entry numbers.
std::vector<std::size_t> entry_order(const std::vector<std::int64_t>& ids) {
  std::vector<std::size_t> order(ids.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return core::entry_number_of(ids[a]) < core::entry_number_of(ids[b]);
  });
  return order;
}

/// Puts the code of a shard's row i into `code`.
void copy_code(const faiss::Index& shard, std::size_t i, std::span<std::uint8_t> code) {
  if (const auto* fast = dynamic_cast<const faiss::IndexPQFastScan*>(&shard)) {
    std::fill(code.begin(), code.end(), std::uint8_t{0});
    for (std::size_t s = 0; s < fast->M; ++s) {
      const unsigned element =
          faiss::pq4_get_packed_element(fast->codes.get(), fast->bbs, fast->M2, i, s);
      code[s / 2] |= static_cast<std::uint8_t>(element << (s % 2 * 4));
    }
    return;
  }
  const auto* graph = dynamic_cast<const faiss::IndexHNSW*>(&shard);
  const auto& coded =
      dynamic_cast<const faiss::IndexFlatCodes&>(graph != nullptr ? *graph->storage : shard);
  std::copy_n(coded.codes.data() + i * code.size(), code.size(), code.begin());
}

}  // namespace

ShardEntries by_entry_number(const ShardEntries& entries) {
  ShardEntries sorted;
  sorted.ids.reserve(entries.ids.size());
  sorted.codes.reserve(entries.codes.size());
  for (const auto i : entry_order(entries.ids)) {
    const auto code = entries.code(i);
    sorted.ids.push_back(entries.ids[i]);
    sorted.codes.insert(sorted.codes.end(), code.begin(), code.end());
  }
  return sorted;
}

ShardEntries gather_list(std::span<const FaissFile> files, std::size_t list) {
  ShardEntries found;
  for (const FaissFile& file : files) {
    const faiss::InvertedLists& lists = *file.lists->invlists;
    const std::size_t size = lists.list_size(list);
    if (size == 0) continue;
    const faiss::InvertedLists::ScopedCodes codes(&lists, list);
    const faiss::InvertedLists::ScopedIds ids(&lists, list);
    const auto before = found.ids.size();
    found.ids.resize(before + size);
    std::memcpy(found.ids.data() + before,
                static_cast<const void*>(ids.ids),  // need not be aligned
                size * sizeof(std::int64_t));
    found.codes.insert(found.codes.end(), codes.codes, codes.codes + size * lists.code_size);
  }
  return by_entry_number(found);
}

ShardEntries all_rows(const FaissFile& file, std::int64_t code_bytes) {
  const auto bytes = static_cast<std::size_t>(code_bytes);
  ShardEntries rows{{file.ids.begin(), file.ids.end()},
                    std::vector<std::uint8_t>(file.ids.size() * bytes)};
  for (std::size_t i = 0; i < rows.ids.size(); ++i) {
    copy_code(*file.core, i, std::span(rows.codes).subspan(i * bytes, bytes));
  }
  return rows;
}

}  // namespace knnseq::index
