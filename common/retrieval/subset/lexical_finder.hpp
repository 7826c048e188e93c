// The nearest sentences by the pieces they share.
#pragma once

#include <memory>
#include <span>
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

/// An inverted index over this rank's sentences, or over those of all ranks of a node in memory
/// that these share. Sentences that share no piece with the one looked for are not found. Scores
/// are summed in double over the pieces in ascending order, and are the same for any number of
/// ranks and shards; distances are scores with their sign turned, in fp32.
class LexicalFinder final : public SentenceFinder {
 public:
  /// comm: the ranks that have each sentence once together. ids: of `mine` (pack_sentence_id).
  /// shared: the ranks run on one node and hold all their sentences there, once; then each finds by
  /// itself. Else `comm` must outlive this object. Collective.
  LexicalFinder(comm::Communicator& comm, const PieceLists& mine, std::span<const std::int64_t> ids,
                const LexicalOptions& options, bool shared = false);

  /// postings: pieces of sentences, each counted once a sentence.
  static std::int64_t memory_bytes(std::int64_t sentences, std::int64_t postings);

  index::TopK find(const SentenceBlock& block) override;

  std::int64_t bytes() const;  ///< of memory, which may be a node's

 private:
  struct Posting {
    std::int32_t sentence;  ///< of those that are held here
    float weight;
  };
  void hold(comm::Communicator& sharers, const PieceLists& mine, std::span<const std::int64_t> ids);
  index::TopK search(const PieceLists& queries) const;

  comm::Communicator& comm_;  ///< whose ranks search for each other
  LexicalOptions options_;
  LexicalWeights weights_;
  std::vector<std::int64_t> starts_;   ///< [vocabulary + 1] postings of each piece
  std::shared_ptr<std::byte> memory_;  ///< holds all that follows
  std::span<std::int64_t> ids_;
  std::span<Posting> postings_;
};

}  // namespace knnseq::retrieval
