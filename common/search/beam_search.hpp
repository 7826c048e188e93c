// fairseq's beam search over a translation model, with a kNN step before the masks.
#pragma once

#include <functional>
#include <vector>

#include "model/base/translation_model.hpp"
#include "search/beam_options.hpp"
#include "search/hypothesis.hpp"

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

}  // namespace knnseq::search
