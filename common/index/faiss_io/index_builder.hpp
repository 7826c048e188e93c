// Writes one shard's entries.
#pragma once

#include <filesystem>

#include "index/faiss_io/codebook.hpp"
#include "index/faiss_io/coded_entries.hpp"

namespace knnseq::index {

/// Writes an ordinary faiss file that holds codebook and entries in the order of their entry
/// numbers (in every list, if there are lists; else with the ids in an IDMap2); durably, and
/// with the same bytes each time whatever order the entries came in. With lists it needs 8 bytes of
/// memory an entry beside its arguments, without them a second copy of the codes (and of a graph
/// its edges). Throws core::SystemError.
void write_local_index(const std::filesystem::path& path, const Codebook& codebook,
                       const CodedEntries& entries);

}  // namespace knnseq::index
