#include "index/prune/prune_shards.hpp"

#include <algorithm>
#include <type_traits>

#include <faiss/IndexIVF.h>

#include "core/entry_id.hpp"
#include "index/core/parallel.hpp"
#include "index/faiss_io/crowded_entries.hpp"
#include "index/faiss_io/index_builder.hpp"
#include "index/faiss_io/list_entries.hpp"
#include "index/faiss_io/open_shards.hpp"
#include "index/prune/like_entries.hpp"

namespace knnseq::index {

namespace {

/// What is found in one list, see(list, entries), for the lists of a part: several at a time on
/// this rank's threads; take(list, found) gets it on the calling one, in their order.
template <class See, class Take>
void for_each_list(const IndexLists& lists, const EntryCounter& count, const See& see,
                   const Take& take) {
  constexpr std::int64_t round = 64;
  using Found = std::invoke_result_t<See, std::int64_t, const ShardEntries&>;
  const auto files = open_shards(lists.codebook, lists.files, lists.ids);
  std::vector<std::int64_t> mine;
  for (std::int64_t list = lists.part; list < lists.codebook.spec.nlist; list += lists.parts) {
    mine.push_back(list);
  }
  for (std::int64_t first = 0; first < std::ssize(mine); first += round) {
    const auto size = std::min(round, std::ssize(mine) - first);
    std::vector<std::int64_t> entries(static_cast<std::size_t>(size));
    std::vector<Found> found(static_cast<std::size_t>(size));
    parallel_for(size, [&](std::int64_t i) {
      const auto list = mine[first + i];
      const auto gathered = gather_list(files, static_cast<std::size_t>(list));
      entries[i] = std::ssize(gathered.ids);
      found[i] = see(list, gathered);
    });
    for (std::int64_t i = 0; i < size; ++i) {
      take(mine[first + i], found[i]);
      count(entries[i]);
    }
  }
}

/// The values as a tensor that does not own them.
template <class T>
at::Tensor view_of(std::vector<T>& values, at::ScalarType type) {
  return at::from_blob(values.data(), {std::ssize(values)}, type);
}

}  // namespace

std::vector<double> list_spreads(const IndexLists& lists, const EntryCounter& count) {
  const LikeEntries like(lists.codebook);
  std::vector<double> spreads(static_cast<std::size_t>(lists.codebook.spec.nlist), 0);
  for_each_list(
      lists, count,
      [&](std::int64_t list, const ShardEntries& entries) {
        return like.spread(list, entries.codes);
      },
      [&](std::int64_t list, double spread) { spreads[list] = spread; });
  return spreads;
}

EntrySet find_like_entries(const IndexLists& lists, const LikeRule& rule, const EntrySet& dropped,
                           const EntryCounter& count) {
  const LikeEntries like(lists.codebook);
  EntrySet found(dropped.first(), dropped.size());
  for_each_list(
      lists, count,
      [&](std::int64_t, const ShardEntries& entries) {
        std::vector<bool> skipped;
        for (const auto id : entries.ids) {
          skipped.push_back(dropped.contains(core::entry_number_of(id)));
        }
        std::vector<std::int64_t> numbers;
        for (const auto i : like.find(entries.ids, entries.codes, skipped, rule)) {
          numbers.push_back(core::entry_number_of(entries.ids[i]));
        }
        return numbers;
      },
      [&](std::int64_t, const std::vector<std::int64_t>& numbers) {
        for (const auto number : numbers) found.insert(number);
      });
  return found;
}

PrunedShard write_pruned_shard(const std::filesystem::path& path, const Codebook& codebook,
                               const std::filesystem::path& shard, const IdBounds& ids,
                               const NewNumber& renumber) {
  const auto files = open_shards(codebook, {shard}, ids);
  const auto& spec = codebook.spec;
  std::vector<std::int32_t> kept_lists;
  std::vector<std::int64_t> kept_ids;
  std::vector<std::uint8_t> kept_codes;
  const auto keep = [&](const ShardEntries& entries, std::int64_t list) {
    for (std::size_t i = 0; i < entries.ids.size(); ++i) {
      const auto number = renumber(core::entry_number_of(entries.ids[i]));
      if (number < 0) continue;
      kept_lists.push_back(static_cast<std::int32_t>(list));
      kept_ids.push_back(core::pack_entry_id(core::token_of(entries.ids[i]), number));
      const auto code = entries.code(i);
      kept_codes.insert(kept_codes.end(), code.begin(), code.end());
    }
  };
  if (spec.has_lists()) {
    for (std::int64_t list = 0; list < spec.nlist; ++list) {
      keep(gather_list(files, static_cast<std::size_t>(list)), list);
    }
  } else {
    keep(all_rows(files.front(), spec.code_bytes()), 0);
  }
  CodedEntries kept{{},
                    view_of(kept_codes, at::kByte).reshape({-1, spec.code_bytes()}),
                    view_of(kept_ids, at::kLong)};
  if (spec.has_lists()) kept.lists = view_of(kept_lists, at::kInt);
  write_local_index(path, codebook, kept);
  return {std::ssize(kept_ids), count_crowded(spec, kept_codes)};
}

}  // namespace knnseq::index
