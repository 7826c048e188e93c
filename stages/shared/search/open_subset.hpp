// The subset search, ready to be used by all ranks.
#pragma once

#include <memory>

#include "retrieval/subset/subset_search.hpp"
#include "runtime/stage_context.hpp"
#include "stages/shared/search/built_subset.hpp"
#include "text/tokenizers/tokenizer.hpp"

namespace knnseq::stages {

/// Loads the codes and what similar sentences are found by: as many copies as `wanted` says, or as
/// have room. With IndexCopies::job a rank has those of its shards. Throws core::InputError (on all
/// ranks) if a file is missing or damaged. Collective.
std::shared_ptr<retrieval::SubsetSearch::Parts> open_subset(runtime::StageContext& context,
                                                            const Options& options,
                                                            const BuiltSubset& built,
                                                            IndexCopies wanted);

/// The search in them, of all ranks together, or of this rank alone. k: neighbours of a query.
std::unique_ptr<retrieval::SubsetSearch> make_subset_search(
    runtime::StageContext& context, std::shared_ptr<retrieval::SubsetSearch::Parts> parts,
    std::int64_t k);

}  // namespace knnseq::stages
