// Indexes without lists.
#pragma once

#include <memory>
#include <vector>

#include "index/faiss_io/faiss_codebook.hpp"
#include "index/search/local_index.hpp"

namespace knnseq::index {

/// One shard's entries, or a part of them.
struct WholePart {
  std::unique_ptr<faiss::Index> index;
  std::vector<std::int64_t> ids;  ///< [n]
};

/// Flat, PQ, 4-bit PQ and HNSW: every part is searched, by faiss, and the results are merged.
std::unique_ptr<LocalIndex> make_whole_index(const Codebook& codebook, std::vector<WholePart> parts,
                                             const LocalIndexOptions& options);

}  // namespace knnseq::index
