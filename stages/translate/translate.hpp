// translate: lines of standard input, as they come, to standard output.
#pragma once

#include <string>
#include <vector>

#include "runtime/stage_context.hpp"
#include "stages/shared/options/options.hpp"

namespace knnseq::stages {

/// Reads sentences, or requests as JSON, on rank 0 until the end of its input and writes one line
/// for each, in order, as soon as it and those before it are done. names: at most one, of the item
/// of `decode:` whose settings are taken; none: those of `knn:` and `beam_search:`. Throws
/// core::InputError on all ranks; core::Stopped after SIGUSR1, when what is in hand is done.
/// Collective.
void translate_stdin(runtime::StageContext& context, const Options& options,
                     const std::vector<std::string>& names);

}  // namespace knnseq::stages
