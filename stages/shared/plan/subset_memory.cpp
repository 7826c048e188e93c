#include "stages/shared/plan/subset_memory.hpp"

#include <algorithm>

#include "index/search/local_index.hpp"
#include "retrieval/subset/lexical_finder.hpp"
#include "retrieval/subset/local_sentence_store.hpp"
#include "stages/shared/plan/planned_bytes.hpp"

namespace knnseq::stages {

SubsetMemory subset_memory(const index::IndexSpec& codes,
                           const std::optional<index::IndexSpec>& sentences,
                           const CorpusSize& corpus) {
  SubsetMemory memory;
  memory.shared = retrieval::LocalSentenceStore::memory_bytes(codes.code_bytes(),
                                                              {corpus.sentences, corpus.entries});
  if (!sentences) {  // pieces that a sentence has twice are counted once there
    memory.shared += retrieval::LexicalFinder::memory_bytes(corpus.sentences, corpus.source_tokens);
    return memory;
  }
  const bool shareable = index::lies_in_shared_memory(*sentences, index::Backend::knnseq);
  (shareable ? memory.shared : memory.of_rank) += index_bytes(*sentences, corpus.sentences);
  return memory;
}

std::int64_t block_bytes(const index::IndexSpec& codes, std::int64_t block_sentences,
                         std::int64_t subset_sentences, const CorpusSize& corpus) {
  constexpr std::int64_t beside_codes = 20;  // ids twice, a term
  const auto of_one = std::min(subset_sentences, corpus.sentences) * corpus.entries /
                      std::max<std::int64_t>(corpus.sentences, 1);
  return block_sentences * of_one * (codes.code_bytes() + beside_codes);
}

}  // namespace knnseq::stages
