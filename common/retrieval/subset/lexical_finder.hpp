// The nearest sentences by the pieces they share.
#pragma once

#include <vector>

#include "comm/communicator.hpp"
#include "retrieval/subset/lexical_weights.hpp"
#include "retrieval/subset/sentence_finder.hpp"

namespace knnseq::retrieval {

/// Which sentences, how they are compared, and how many are found.
struct LexicalOptions {
  LexicalScore score = LexicalScore::bm25;
  std::int64_t vocabulary = 0;  ///< pieces lie in [0, vocabulary)
  std::int64_t count = 512;
};

/// An inverted index over this rank's sentences. Sentences that share no piece with the one looked
/// for are not found. Scores are summed in double over the pieces in ascending order, and are the
/// same for any number of ranks and shards; distances are scores with their sign turned, in fp32.
class LexicalFinder final : public SentenceFinder {
 public:
  /// ids (pack_sentence_id) of `mine`. `comm` must outlive this object. Collective.
  LexicalFinder(comm::Communicator& comm, const PieceLists& mine, std::vector<std::int64_t> ids,
                const LexicalOptions& options);

  index::TopK find(const SentenceBlock& block) override;

  std::int64_t bytes() const;  ///< of memory

 private:
  struct Posting {
    std::int32_t sentence;  ///< of this rank's
    float weight;
  };
  index::TopK search(const PieceLists& queries) const;

  comm::Communicator& comm_;
  LexicalOptions options_;
  LexicalWeights weights_;
  std::vector<std::int64_t> ids_;
  std::vector<std::int64_t> starts_;  ///< [vocabulary + 1] postings of each piece
  std::vector<Posting> postings_;
};

}  // namespace knnseq::retrieval
