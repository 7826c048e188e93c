// Stage append: more text under the existing codebook.
#pragma once

#include <string>
#include <vector>

#include "runtime/stage_context.hpp"
#include "stages/shared/options/options.hpp"

namespace knnseq::stages {

/// Partitions, encodes and adds the corpora of `append:` that are named (all if none is) in
/// append/<name>/, with the first corpus's shards, model and codebook, and says how well the
/// codebook fits each. Entry numbers continue those of the corpora before. Throws
/// core::InputError (on all ranks) if the first corpus is not finished, or one before those
/// named is not partitioned. Collective.
void append(runtime::StageContext& context, const Options& options,
            const std::vector<std::string>& names);

}  // namespace knnseq::stages
