// Checks what a faiss file is made of, before faiss reads it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace knnseq::index {

/// Where a file of fp32 vectors or of PQ codes, without lists and graph, has them.
struct FaissRows {
  std::uint64_t entries = 0;
  std::uint64_t code_bytes = 0;       ///< of an entry; 0: the file is of another kind
  std::uint64_t codes = 0;            ///< the first byte of the first code, after their number
  std::uint64_t ids = 0;              ///< likewise; 0: it has none
  std::vector<std::uint64_t> counts;  ///< where 64-bit numbers say how many entries there are
};

/// Walks a file of a supported type from its first byte to its last and compares every size that it
/// states with what is there. faiss trusts these sizes: it allocates and divides by them, and opens
/// other files that an index names. Memory: eight bytes a list. Throws core::InputError naming the
/// file and what does not fit.
FaissRows verify_faiss_layout(const std::filesystem::path& path);

}  // namespace knnseq::index
