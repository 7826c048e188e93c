// How many neighbours are looked for, and where.
#pragma once

#include <cstdint>

#include "index/quantize/vector_quantizer.hpp"
#include "index/search/local_index.hpp"

namespace knnseq::retrieval {

struct SearchOptions {
  std::int64_t k = 16;       ///< neighbours a query
  std::int64_t nprobe = 32;  ///< inverted lists a query; no effect without lists
  index::Probing probing = index::Probing::exact;
  index::Backend backend = index::Backend::knnseq;
  std::int64_t ef_search = 64;  ///< of HNSW: candidates kept while walking the graph

  /// Throws core::InputError.
  void validate() const;
};

}  // namespace knnseq::retrieval
