// The datastore, ready to be searched by all ranks.
#pragma once

#include <memory>

#include "retrieval/distributed_search.hpp"
#include "runtime/stage_context.hpp"
#include "stages/options.hpp"

namespace knnseq::stages {

/// Loads the codebook and this rank's shards; with more ranks than shards those of a team hold a part
/// each. Throws core::InputError (on all ranks) where a file is missing or damaged. Collective.
retrieval::DistributedSearch open_search(runtime::StageContext& context, const Options& options,
                                         const retrieval::SearchOptions& search);

}  // namespace knnseq::stages
