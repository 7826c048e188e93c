// An index with fewer entries.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

#include "index/core/entry_set.hpp"
#include "index/core/id_bounds.hpp"
#include "index/faiss_io/codebook.hpp"
#include "index/prune/like_entries.hpp"

namespace knnseq::index {

/// The files of all shards of a corpus, as write_local_index() wrote them, and which of their lists
/// one rank looks at: part, part + parts, …
struct IndexLists {
  const Codebook& codebook;
  std::vector<std::filesystem::path> files;
  IdBounds ids;
  int part = 0;
  int parts = 1;
};

/// Hears how many more entries have been looked at. An exception from it ends the search.
using EntryCounter = std::function<void(std::int64_t entries)>;

/// LikeEntries::spread() of each list, [nlist]; 0 for those of other parts. Throws as
/// open_shards() and LikeEntries.
std::vector<double> list_spreads(const IndexLists& lists, const EntryCounter& count);

/// The entries of this part that LikeEntries::find() names among those that are not in `dropped`.
/// Throws likewise.
EntrySet find_like_entries(const IndexLists& lists, const LikeRule& rule, const EntrySet& dropped,
                           const EntryCounter& count);

/// The number that an entry has in the new file; −1: it is left out. Ascends with the old number.
using NewNumber = std::function<std::int64_t(std::int64_t entry)>;

struct PrunedShard {
  std::int64_t entries = 0;
  std::int64_t crowded = 0;  ///< count_crowded()
};

/// Writes a shard's file with some of its entries only, and these with new numbers, as
/// write_local_index() does. Throws as open_shards(), and core::SystemError.
PrunedShard write_pruned_shard(const std::filesystem::path& path, const Codebook& codebook,
                               const std::filesystem::path& shard, const IdBounds& ids,
                               const NewNumber& renumber);

}  // namespace knnseq::index
