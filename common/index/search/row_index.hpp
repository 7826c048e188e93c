// Indexes without lists that our own code searches.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "index/search/local_index.hpp"

namespace knnseq::index {

/// Flat and PQ with Backend::knnseq: FlatScan and PqScan. make_whole_index() has all else that is
/// without lists.
bool is_row_index(const IndexSpec& spec, Backend backend);

/// load_local_index() of them: entries are read from the files straight into the memory where they
/// stay.
std::unique_ptr<LocalIndex> load_row_index(const Codebook& codebook,
                                           const std::vector<std::filesystem::path>& shard_files,
                                           const LocalIndexOptions& options);

/// The same of entries in memory: codes [n, code_bytes], ids [n].
std::unique_ptr<LocalIndex> make_row_index(const Codebook& codebook,
                                           std::span<const std::uint8_t> codes,
                                           std::span<const std::int64_t> ids);

}  // namespace knnseq::index
