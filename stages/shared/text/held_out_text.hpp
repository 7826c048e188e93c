// Translated text that is not in the datastore, for measuring.
#pragma once

#include <filesystem>
#include <vector>

#include "runtime/stage_context.hpp"
#include "stages/shared/options/options.hpp"
#include "text/tokenizers/tokenizer.hpp"

namespace knnseq::stages {

struct HeldOutFiles {
  std::filesystem::path source, target;
  std::filesystem::path scratch;   ///< for unpacked files, in the stage's folder; removed again
  std::int64_t source_tokens = 0;  ///< most of a source that the model takes
  std::int64_t target_tokens = 0;
};

/// Pairs as tokens, in the order of the files; targets end in EOS.
struct HeldOutText {
  std::vector<std::vector<core::TokenId>> sources, targets;
};

/// Reads, preprocesses and tokenises the text by all ranks; every rank gets all pairs but those
/// that partition would drop. Models and tokenisers must be loaded by then: throws core::InputError
/// on all ranks, also if an input file has changed meanwhile. Collective.
HeldOutText read_held_out_text(runtime::StageContext& context, const Options& options,
                               const HeldOutFiles& files, const text::Tokenizer& tokenizer);

}  // namespace knnseq::stages
