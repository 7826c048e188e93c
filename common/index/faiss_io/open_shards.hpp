// Files of shards, read to be merged; for the .cpp files of this module.
#pragma once

#include <filesystem>
#include <vector>

#include "index/core/id_bounds.hpp"
#include "index/faiss_io/faiss_file.hpp"

namespace knnseq::index {

/// Reads files of write_local_index(); lists stay mapped, codebooks are released. Throws
/// core::InputError naming the file if one is missing, truncated, not a faiss file, without
/// entries' ids or with others than `ids` allow, was made with another codebook, or holds vectors
/// that are not finite.
std::vector<FaissFile> open_shards(const Codebook& codebook,
                                   const std::vector<std::filesystem::path>& shard_files,
                                   const IdBounds& ids);

}  // namespace knnseq::index
