// The datastores of a decoding, ready to be searched by all ranks.
#pragma once

#include "core/files.hpp"
#include "retrieval/distributed_search.hpp"
#include "runtime/stage_context.hpp"
#include "stages/options.hpp"

namespace knnseq::stages {

/// One datastore and the manifests behind it, checked to have been made from one another.
struct SearchedDatastore {
  std::filesystem::path run_dir;
  core::Json corpus, datastore, index;
};

/// The datastores that a decoding searches: this run's own, or those it names, one for each model.
/// Throws core::InputError (on all ranks) where a stage is missing or was made from something else
/// than what stands there now, where keys were made by another model or tokeniser or are of another
/// kind than the config says, or k or nprobe are too large. Collective.
std::vector<SearchedDatastore> check_search(runtime::StageContext& context, const Options& options,
                                            const DecodeOptions& decoding);

/// Throws core::InputError where nprobe is larger than the number of lists.
void require_enough_lists(const retrieval::SearchOptions& search, std::int64_t lists);

/// Loads a datastore's codebook and this rank's shards; with more ranks than shards those of a team
/// hold a part each. Throws core::InputError (on all ranks) where a file is missing or damaged.
/// Collective.
retrieval::DistributedSearch open_search(runtime::StageContext& context,
                                         const SearchedDatastore& datastore,
                                         const retrieval::SearchOptions& search);

}  // namespace knnseq::stages
