// All ranks translate blocks of sentences together, whatever they search in.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "model/base/translation_model.hpp"
#include "retrieval/knn_mixer.hpp"
#include "retrieval/subset/subset_search.hpp"
#include "runtime/stage_context.hpp"
#include "search/beam_options.hpp"
#include "search/hypothesis.hpp"
#include "stages/shared/options/options.hpp"
#include "stages/shared/translation/block_schedule.hpp"
#include "text/tokenizers/tokenizer.hpp"

namespace knnseq::stages {

/// Sentences that are translated in blocks, and what becomes of their translations.
struct BlockWork {
  /// Numbers of blocks, in the order in which they are dealt; the same on all ranks.
  std::vector<std::int64_t> blocks;
  /// The sentences of a block as the encoder takes them; none is empty.
  std::function<std::vector<std::vector<core::TokenId>>(std::int64_t block)> sources;
  /// What their translations begin with (BeamOptions::prefixes); null: nothing.
  std::function<std::vector<std::vector<core::TokenId>>(std::int64_t block)> prefixes;
  /// Takes the translations of a block, on the rank that made them: for each sentence the best.
  std::function<void(std::int64_t block, std::vector<std::vector<search::Hypothesis>> best)> done;
  /// Called between two steps of a block; null: nothing is.
  std::function<void()> between;
  bool stops = true;  ///< whether SIGUSR1 ends it between two blocks; if not, all are translated
};

/// What blocks are translated with.
struct BlockTools {
  const Options& options;  ///< of the subset
  const search::BeamOptions& beam;
  const text::Tokenizer& tokenizer;
  model::TranslationModel& model;
};

/// Translates blocks until there are none left, or a rank is asked to stop; mixer: null without
/// kNN. A block's bytes depend on its own sentences alone, and not on the ranks. Collective;
/// without exchange where the mixer has none.
void translate_blocks(runtime::StageContext& context, const BlockTools& tools,
                      const BlockWork& work, retrieval::KnnMixer* mixer);

/// What a translation memory gives: the target of the most similar source, whatever the model says.
/// Its score is minus the distance of the two. Collective.
void recall_blocks(runtime::StageContext& context, const BlockTools& tools, const BlockWork& work,
                   retrieval::SubsetSearch& memory);

/// The places of those sources that are not empty, cut into blocks of sentences of similar length,
/// longest first: the same for any number of ranks.
std::vector<std::vector<std::int64_t>> cut_blocks(
    const std::vector<std::vector<core::TokenId>>& sources, std::int64_t block_sentences);

}  // namespace knnseq::stages
