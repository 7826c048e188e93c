// All shards as one faiss file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <vector>

#include "index/core/id_bounds.hpp"
#include "index/faiss_io/codebook.hpp"

namespace knnseq::index {

/// Receives the packed ids (core/entry_id.hpp) of all entries, some at a time, as they are written.
/// An exception from it ends the export.
using EntryVisitor = std::function<void(std::span<const std::int64_t> packed_ids)>;

/// Merges files of write_local_index(), which together hold `entries` different ones of the entries
/// 0 … ids.entries − 1, into one ordinary faiss file whose ids are plain entry numbers. With lists,
/// every list is in the order of entry numbers, and is copied from the mapped shards: memory holds
/// one list. Without lists the rows are in that order; if they are all entries, faiss's own
/// numbering is right and there is no id map. There memory holds all codes twice, and a graph over
/// the entries is built anew, on one thread. Written durably and with the same bytes for any number
/// of shards. Throws core::InputError naming the file if a shard cannot be used or entries are
/// missing, core::SystemError. Returns count_crowded() of a graph. Not collective.
std::int64_t export_index(const std::filesystem::path& path, const Codebook& codebook,
                          const std::vector<std::filesystem::path>& shard_files,
                          const IdBounds& ids, std::int64_t entries, const EntryVisitor& visit);

}  // namespace knnseq::index
