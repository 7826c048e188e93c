// fairseq's beam search over a translation model, with a kNN step before the masks.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "model/base/translation_model.hpp"
#include "search/beam_options.hpp"
#include "search/hypothesis.hpp"
#include "search/masks.hpp"
#include "search/sentence_beam.hpp"

namespace knnseq::search {

/// What a kNN step is asked, one row a hypothesis.
struct KnnQueries {
  at::Tensor vectors;                   ///< [rows, d] fp32
  std::vector<std::int64_t> sentences;  ///< [rows], which of the block's sources each belongs to
};

/// Replaces log-probs by interpolated ones. `log_probs` is [rows, V] fp32 and contiguous: changed
/// in place or replaced by a tensor of the same shape.
using KnnStep = std::function<void(const KnnQueries& queries, at::Tensor& log_probs)>;

/// Translates one block. Sources carry their EOS; all start together, finished ones leave the
/// batch, so the shapes of matrix products depend on the block alone. One list of at most `nbest`
/// hypotheses for each source, best first.
///
/// Each step takes the 2·beam best continuations of a sentence, ties by (score, beam, token). EOS
/// ends a hypothesis only among the first `beam` of them; the first `beam` others go on. A sentence
/// ends with `beam` finished hypotheses or at its greatest length, where EOS is forced. The model's
/// forced tokens come first, at a log-prob of 0, and count in the length. Pad, the model's bad
/// tokens, the options' `never`, and EOS as the first token are never chosen. Of a prefix each
/// token is chosen with its own log-prob, whatever it is. Running sums are fp32, as in fairseq, so
/// that close calls fall alike. NaN counts as −∞. (fairseq, SequenceGenerator; Ott et al., NAACL
/// 2019.)
///
/// Without `knn` the model's log-probs are used. With it, it is called once a step with the rows
/// whose sentence has a choice, if any: one a sentence in the first step, `beam` a sentence
/// later.
/// Throws InputError as encode() does, and core::Error if no continuation has a finite score.
std::vector<std::vector<Hypothesis>> beam_search(model::TranslationModel& model,
                                                 model::Sentences sources,
                                                 const BeamOptions& options,
                                                 const KnnStep& knn = {});

/// The same for sources that the model has encoded before.
std::vector<std::vector<Hypothesis>> beam_search(model::TranslationModel& model,
                                                 model::Sentences sources,
                                                 const model::EncodedSource& encoded,
                                                 const BeamOptions& options,
                                                 const KnnStep& knn = {});

/// The same as an object, which can be left in the middle of a step: ask() and answer() in turns,
/// until it is done().
class BeamSearch {
 public:
  /// Throws InputError if the options break a rule. The model must outlive it.
  BeamSearch(model::TranslationModel& model, model::Sentences sources,
             const model::EncodedSource& encoded, const BeamOptions& options);
  BeamSearch(const BeamSearch&) = delete;
  BeamSearch& operator=(const BeamSearch&) = delete;

  bool done() const { return live_.empty(); }

  /// What a kNN step is called with, whose log-probs answer() takes.
  struct Question {
    KnnQueries queries;
    at::Tensor log_probs;  ///< undefined: there are no queries
  };
  /// The model's part of a step.
  Question ask();
  /// The rest of it, with the question's log-probs as they are or as the kNN step made them.
  void answer(at::Tensor log_probs);

  /// At the end.
  std::vector<std::vector<Hypothesis>> take_results();

 private:
  /// Rows whose next token stands in their sentence's prefix: that token's place in log_probs as
  /// one row, and its log-prob.
  struct InPrefixes {
    at::Tensor rows, places, log_probs;  ///< int64, int64, fp32; undefined if there are none
  };

  std::vector<core::TokenId> last_tokens() const;
  std::vector<std::int64_t> advance(const at::Tensor& log_probs);
  std::vector<std::vector<Continuation>> select(const at::Tensor& log_probs);
  InPrefixes find_in_prefixes(const at::Tensor& log_probs, std::int64_t length,
                              const std::vector<std::uint8_t>& at_end) const;

  model::TranslationModel& model_;
  const BeamOptions options_;
  Masks masks_;
  std::vector<SentenceBeam> beams_;  ///< [sources]
  std::vector<std::size_t> live_;    ///< the sentences still in the batch
  std::unique_ptr<model::DecoderState> state_;
  at::Tensor log_probs_;  ///< [rows, V]: the model's, between ask() and answer()
  at::Tensor asked_;      ///< int64: rows of them that the question was about; undefined: all
};

}  // namespace knnseq::search
