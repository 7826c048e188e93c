// Codes of all entries, for the search in subsets.
#pragma once

#include "runtime/stage_context.hpp"
#include "stages/shared/options/options.hpp"

namespace knnseq::stages {

/// Trains subset.codes on the datastore's training sample and codes every key: subset/codes/
/// shard-*.h5 holds `codes` [N, M] uint8, one row for each row of the datastore's shard.
/// Collective.
void code_entries(runtime::StageContext& context, const Options& options);

}  // namespace knnseq::stages
