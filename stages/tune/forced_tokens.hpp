// The true tokens of a validation set, what the model gives them, and their queries' neighbours.
#pragma once

#include <vector>

#include "model/translation_model.hpp"
#include "runtime/stage_context.hpp"
#include "stages/built_datastore.hpp"
#include "stages/held_out_text.hpp"
#include "stages/options.hpp"

namespace knnseq::stages {

/// This rank's share of the tokens, ends of sentences included.
struct ForcedTokens {
  std::vector<core::TokenId> tokens;  ///< [n]
  std::vector<float> log_probs;       ///< [n] of the model alone
  /// One for each nprobe: the neighbours [n, k], nearest first; scores fp32, −inf where missing;
  /// packed ids int64, −1 where missing.
  struct Neighbours {
    std::vector<float> scores;
    std::vector<std::int64_t> ids;
  };
  std::vector<Neighbours> neighbours;
  std::int64_t k = 0;

  std::int64_t count() const { return std::ssize(tokens); }
};

/// One teacher-forced pass over the text, cut into pieces of about 512 target tokens, which are
/// dealt to the ranks; every piece's queries are searched by all ranks, for the largest k of
/// options.tune, once for each nprobe. Throws core::Stopped on all ranks after a stop signal.
/// Collective.
ForcedTokens force_tokens(runtime::StageContext& context, const Options& options,
                          const HeldOutText& text, model::TranslationModel& model,
                          const BuiltDatastore& datastore);

}  // namespace knnseq::stages
