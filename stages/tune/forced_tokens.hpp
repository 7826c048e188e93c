// The true tokens of a validation set, what the model gives them, and their queries' neighbours.
#pragma once

#include <vector>

#include "model/base/translation_model.hpp"
#include "retrieval/knn_mixer.hpp"
#include "retrieval/mixing/policy_training.hpp"
#include "runtime/stage_context.hpp"
#include "stages/shared/options/options.hpp"
#include "stages/shared/text/held_out_text.hpp"
#include "text/tokenizers/tokenizer.hpp"

namespace knnseq::stages {

/// Some consecutive sentences under teacher forcing.
struct ForcedPiece {
  at::Tensor queries;                   ///< fp32 [tokens, d]
  std::vector<std::int64_t> sentences;  ///< [tokens] place of each token's sentence in `block`
  retrieval::SentenceBlock block;       ///< what the sentences can be looked for by
};

/// This rank's share of the tokens, ends of sentences included.
struct ForcedTokens {
  std::vector<core::TokenId> tokens;  ///< [n]
  std::vector<float> log_probs;       ///< [n] of the model alone
  std::vector<ForcedPiece> pieces;    ///< of these tokens, in this order
  std::int64_t rounds = 0;            ///< the most pieces that a rank has

  std::int64_t count() const { return std::ssize(tokens); }
};

/// Model and tokeniser of a pass.
struct PassModel {
  model::TranslationModel& model;
  const text::Tokenizer& tokenizer;
};

/// One teacher-forced pass over the text, cut into pieces of about 512 target tokens, which are
/// distributed over the ranks. Memory: the queries of a rank's share. Throws core::Stopped on all
/// ranks after a stop signal. Collective.
ForcedTokens force_tokens(runtime::StageContext& context, const Options& options,
                          const HeldOutText& text, const PassModel& with);

/// The neighbours of this rank's tokens in the only datastore, [n, k], in the host's memory; all
/// ranks go through their pieces in rounds. Throws as force_tokens() does. Collective.
index::TopK find_neighbours(runtime::StageContext& context, const ForcedTokens& forced,
                            retrieval::KnnMixer& mixer, std::int64_t k);

/// What policies are trained on: every true token with the features of its tune.decoding.search.k
/// neighbours in the only datastore, in the text's order; each fifth sentence is held out. The same
/// on every rank, and for any number of ranks. Memory: 5 k and a query's numbers a token of the
/// text. Throws as force_tokens() does. Collective.
retrieval::PolicyExamples gather_examples(runtime::StageContext& context, const Options& options,
                                          const HeldOutText& text, const PassModel& with,
                                          retrieval::KnnMixer& mixer);

}  // namespace knnseq::stages
