// The texts of a config: whether they can be used, and how much there is of them.
#pragma once

#include "runtime/stage_context.hpp"
#include "stages/run/problems.hpp"
#include "stages/shared/options/options.hpp"
#include "stages/shared/plan/needs.hpp"
#include "text/tokenizers/tokenizer.hpp"

namespace knnseq::stages {

/// Reads corpora (but not of a datastore that is imported) that partition has not read yet, each
/// file on one rank: notes which are missing, not UTF-8, or of other lengths than their other side.
/// `tokenizer`: null if it does not open; sizes are then 0. Collective; the same result on all
/// ranks.
CorpusSize check_corpora(runtime::StageContext& context, const Options& options,
                         const text::Tokenizer* tokenizer, Problems& problems);

/// The same for test sets and the texts of sweep and tune. On one rank.
void check_test_sets(const Options& options, Problems& problems);

}  // namespace knnseq::stages
