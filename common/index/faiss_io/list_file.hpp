// The beginning of a faiss file with inverted lists; for the .cpp files of this module.
#pragma once

#include <cstdint>
#include <span>

#include "index/faiss_io/codebook.hpp"
#include "index/faiss_io/output_file.hpp"

namespace knnseq::index {

/// Writes everything that stands before the lists: codebook, number of entries and `sizes` [nlist]
/// of the lists. For each list in turn its codes uint8 [size, code_bytes], then its ids int64
/// [size] must follow; so no second copy of the lists is needed in memory.
void begin_list_file(OutputFile& file, const Codebook& codebook,
                     std::span<const std::uint64_t> sizes);

}  // namespace knnseq::index
