#include "retrieval/subset/lexical_weights.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.hpp"

namespace knnseq::retrieval {

namespace {

constexpr double k1 = 1.5;
constexpr double b = 0.75;
constexpr double epsilon = 0.25;

/// rank_bm25's: of the Robertson–Spärck Jones kind, negative ones replaced. df [vocabulary].
std::vector<double> okapi_idf(std::int64_t sentences, const std::vector<std::int64_t>& df) {
  std::vector<double> idf(df.size(), 0);
  double sum = 0;
  std::int64_t known = 0;
  for (std::size_t piece = 0; piece < df.size(); ++piece) {
    if (df[piece] == 0) continue;
    const auto having = static_cast<double>(df[piece]);
    idf[piece] = std::log(static_cast<double>(sentences) - having + 0.5) - std::log(having + 0.5);
    sum += idf[piece];
    ++known;
  }
  const double least = known > 0 ? epsilon * sum / static_cast<double>(known) : 0;
  for (double& value : idf) value = value < 0 ? least : value;
  return idf;
}

std::vector<double> smooth_idf(std::int64_t sentences, const std::vector<std::int64_t>& df) {
  std::vector<double> idf;
  for (const auto having : df) {
    idf.push_back(std::log(static_cast<double>(1 + sentences) / static_cast<double>(1 + having)) +
                  1);
  }
  return idf;
}

void make_unit_length(std::vector<double>& weights) {
  const double norm =
      std::sqrt(std::inner_product(weights.begin(), weights.end(), weights.begin(), 0.0));
  if (norm == 0) return;
  for (double& weight : weights) weight /= norm;
}

}  // namespace

void PieceLists::add(std::span<const core::TokenId> sentence) {
  pieces.insert(pieces.end(), sentence.begin(), sentence.end());
  starts.push_back(std::ssize(pieces));
}

std::span<const core::TokenId> PieceLists::of(std::int64_t sentence) const {
  const auto at = static_cast<std::size_t>(sentence);
  const auto begin = static_cast<std::size_t>(starts[at]);
  return std::span(pieces).subspan(begin, static_cast<std::size_t>(starts[at + 1]) - begin);
}

std::vector<PieceCount> count_pieces(std::span<const core::TokenId> sentence) {
  std::vector<core::TokenId> sorted(sentence.begin(), sentence.end());
  std::sort(sorted.begin(), sorted.end());
  std::vector<PieceCount> counts;
  for (const auto piece : sorted) {
    if (counts.empty() || counts.back().piece != piece) counts.push_back({piece, 0});
    ++counts.back().count;
  }
  return counts;
}

LexicalWeights::LexicalWeights(comm::Communicator& comm, LexicalScore score, const PieceLists& mine,
                               std::int64_t vocabulary)
    : score_(score), idf_(), sentences_(vocabulary, 0) {
  for (std::int64_t i = 0; i < mine.sentences(); ++i) {
    for (const auto& piece : count_pieces(mine.of(i))) {
      KNNSEQ_ASSERT(piece.piece >= 0 && piece.piece < vocabulary, "a piece of no vocabulary");
      ++sentences_[piece.piece];
    }
  }
  comm.all_reduce(std::span(sentences_), comm::Reduction::sum);
  const auto sentences = comm.all_reduce(mine.sentences(), comm::Reduction::sum);
  const auto pieces = comm.all_reduce(std::ssize(mine.pieces), comm::Reduction::sum);
  mean_length_ =
      static_cast<double>(pieces) / static_cast<double>(std::max<std::int64_t>(sentences, 1));
  idf_ = score == LexicalScore::bm25 ? okapi_idf(sentences, sentences_)
                                     : smooth_idf(sentences, sentences_);
}

std::vector<double> LexicalWeights::in_sentence(std::span<const PieceCount> pieces) const {
  std::vector<double> weights;
  if (score_ == LexicalScore::tfidf) {
    for (const auto& [piece, count] : pieces) {
      weights.push_back(count * idf_[piece]);
    }
    make_unit_length(weights);
    return weights;
  }
  double length = 0;
  for (const auto& piece : pieces) length += piece.count;
  for (const auto& [piece, count] : pieces) {
    weights.push_back(idf_[piece] *
                      (count * (k1 + 1) / (count + k1 * (1 - b + b * length / mean_length_))));
  }
  return weights;
}

std::vector<double> LexicalWeights::in_query(std::span<const PieceCount> pieces) const {
  std::vector<double> weights;
  for (const auto& piece : pieces) {
    const double of_piece =
        score_ == LexicalScore::tfidf ? piece.count * idf_[piece.piece] : piece.count;
    weights.push_back(known(piece) ? of_piece : 0);
  }
  if (score_ == LexicalScore::tfidf) make_unit_length(weights);
  return weights;
}

bool LexicalWeights::known(const PieceCount& piece) const { return sentences_.at(piece.piece) > 0; }

}  // namespace knnseq::retrieval
