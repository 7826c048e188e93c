// BM25 and TF-IDF: what a piece weighs in a sentence.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "comm/communicator.hpp"
#include "core/types.hpp"

namespace knnseq::retrieval {

enum class LexicalScore {
  /// Okapi BM25 with k1 1.5 and b 0.75, where a piece that most sentences have weighs a quarter of
  /// the mean idf instead of a negative one: rank_bm25's BM25Okapi with its defaults.
  bm25,
  /// The cosine of vectors tf · (ln((1 + n) / (1 + df)) + 1): scikit-learn's TfidfVectorizer with
  /// its defaults (smoothed idf, plain counts, length 1), the pieces being the words.
  tfidf
};

/// Sentences as lists of pieces, one after another.
struct PieceLists {
  std::vector<std::int64_t> starts{0};  ///< [sentences + 1]
  std::vector<core::TokenId> pieces;

  std::int64_t sentences() const { return std::ssize(starts) - 1; }
  void add(std::span<const core::TokenId> sentence);
  std::span<const core::TokenId> of(std::int64_t sentence) const;
};

/// A piece of a sentence, and how often it stands there.
struct PieceCount {
  core::TokenId piece;
  std::int32_t count;
};

/// The different pieces of a sentence, ascending.
std::vector<PieceCount> count_pieces(std::span<const core::TokenId> sentence);

/// Weights over the sentences of all ranks: what two sentences score is the sum, over the pieces
/// that both have, of query weight times sentence weight.
class LexicalWeights {
 public:
  /// mine: this rank's sentences; every sentence is one rank's. Pieces lie in [0, vocabulary).
  /// Collective: pieces, lengths and sentences are counted over all ranks.
  LexicalWeights(comm::Communicator& comm, LexicalScore score, const PieceLists& mine,
                 std::int64_t vocabulary);

  /// Of each of a datastore sentence's pieces (count_pieces()).
  std::vector<double> in_sentence(std::span<const PieceCount> pieces) const;
  /// Of each of a query's pieces; 0 if no sentence of the datastore has it.
  std::vector<double> in_query(std::span<const PieceCount> pieces) const;

 private:
  bool known(const PieceCount& piece) const;

  LexicalScore score_;
  double mean_length_ = 0;
  std::vector<double> idf_;              ///< [vocabulary]
  std::vector<std::int64_t> sentences_;  ///< [vocabulary]: that have the piece
};

}  // namespace knnseq::retrieval
