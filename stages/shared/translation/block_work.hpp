// Blocks of sentences that are to be translated, and with what.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "model/base/translation_model.hpp"
#include "runtime/stop_signal.hpp"
#include "search/beam_options.hpp"
#include "search/hypothesis.hpp"
#include "stages/shared/options/options.hpp"
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

  /// Whether no other block is to be begun.
  bool stopped() const { return stops && runtime::stop_requested(); }
  void step_done() const {
    if (between) between();
  }
  /// Options of beam search with the block's prefixes.
  search::BeamOptions beam_of(std::int64_t block, search::BeamOptions beam) const {
    if (prefixes) beam.prefixes = prefixes(block);
    return beam;
  }
};

/// What blocks are translated with.
struct BlockTools {
  const Options& options;  ///< of the subset
  const search::BeamOptions& beam;
  const text::Tokenizer& tokenizer;
  model::TranslationModel& model;
};

}  // namespace knnseq::stages
