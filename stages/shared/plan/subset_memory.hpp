// The memory of what is searched in subsets.
#pragma once

#include <cstdint>
#include <optional>

#include "index/core/index_spec.hpp"
#include "stages/shared/plan/needs.hpp"

namespace knnseq::stages {

/// One copy of all that subsets are found and made of: codes and values of all entries, and an
/// index of the sentences.
struct SubsetMemory {
  std::int64_t shared = 0;   ///< that ranks of a node can hold together
  std::int64_t of_rank = 0;  ///< that each of them must hold by itself
};

/// codes: of the entries. sentences: of the index of sentence vectors, with knnseq's backend; none
/// where sentences are found by pieces.
SubsetMemory subset_memory(const index::IndexSpec& codes,
                           const std::optional<index::IndexSpec>& sentences,
                           const CorpusSize& corpus);

/// The subsets of one block, on the CPU, with ids and codes that came for it.
std::int64_t block_bytes(const index::IndexSpec& codes, std::int64_t block_sentences,
                         std::int64_t subset_sentences, const CorpusSize& corpus);

}  // namespace knnseq::stages
