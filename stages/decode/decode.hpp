// Stage decode: translates test sets, with or without the datastore.
#pragma once

#include <string>
#include <vector>

#include "runtime/stage_context.hpp"
#include "stages/options.hpp"

namespace knnseq::stages {

/// Translates the test sets of `decode:` that are named (all where none is) into decode/<name>/:
/// src.txt, hyp.txt, ref.txt (where there is a reference) in the order of the input, and
/// nbest.jsonl. Collective.
void decode(runtime::StageContext& context, const Options& options,
            const std::vector<std::string>& names);

}  // namespace knnseq::stages
