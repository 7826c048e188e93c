// Finds the datastore's sentences that are nearest to given ones.
#pragma once

#include "core/entry_id.hpp"
#include "index/core/top_k.hpp"
#include "retrieval/knn_search.hpp"

namespace knnseq::retrieval {

/// A sentence of the datastore: the number of its shard in bits 40–62, its own number in the lower
/// 40. So a search result says which rank holds it, as an entry's id says its token.
inline std::int64_t pack_sentence_id(std::int64_t shard, std::int64_t number) {
  return core::pack_entry_id(core::narrow<core::TokenId>(shard), number);
}
inline std::int64_t shard_of(std::int64_t sentence_id) { return core::token_of(sentence_id); }
inline std::int64_t number_of(std::int64_t sentence_id) {
  return core::entry_number_of(sentence_id);
}

class SentenceFinder {
 public:
  virtual ~SentenceFinder() = default;

  /// Ids (pack_sentence_id) of the nearest sentences of each of the block's, in the order of
  /// (distance, sentence number); as many as the finder was made for, missing ones last. The same
  /// for any number of ranks and shards. Collective, except where a rank reads all sentences.
  virtual index::TopK find(const SentenceBlock& block) = 0;
};

}  // namespace knnseq::retrieval
