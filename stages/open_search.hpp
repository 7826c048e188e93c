// The datastore, ready to be searched by all ranks.
#pragma once

#include "core/files.hpp"
#include "retrieval/distributed_search.hpp"
#include "runtime/stage_context.hpp"
#include "stages/options.hpp"

namespace knnseq::stages {

/// The manifests behind a search, checked to have been made from one another.
struct SearchManifests {
  core::Json datastore, index;
};

/// Throws core::InputError (on all ranks) where a stage is missing or was made from something else
/// than what stands there now, where the keys are of another kind than the config says, or k or
/// nprobe are too large. Collective.
SearchManifests check_search(runtime::StageContext& context, const Options& options,
                             const retrieval::SearchOptions& search);

/// Throws core::InputError where nprobe is larger than the number of lists.
void require_enough_lists(const retrieval::SearchOptions& search, std::int64_t lists);

/// Loads the codebook and this rank's shards; with more ranks than shards those of a team hold a
/// part each. Throws core::InputError (on all ranks) where a file is missing or damaged.
/// Collective.
retrieval::DistributedSearch open_search(runtime::StageContext& context, const Options& options,
                                         const retrieval::SearchOptions& search);

}  // namespace knnseq::stages
