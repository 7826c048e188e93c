// The subset search, ready to be used by all ranks.
#pragma once

#include <memory>

#include "retrieval/subset/subset_search.hpp"
#include "runtime/stage_context.hpp"
#include "stages/shared/search/built_subset.hpp"
#include "text/tokenizers/tokenizer.hpp"

namespace knnseq::stages {

/// Loads this rank's part of the codes and of what similar sentences are found by. Throws
/// core::InputError (on all ranks) if a file is missing or damaged. Collective.
std::shared_ptr<retrieval::SubsetSearch::Parts> open_subset(runtime::StageContext& context,
                                                            const Options& options,
                                                            const BuiltSubset& built);

/// The search in them. k: neighbours of a query.
std::unique_ptr<retrieval::SubsetSearch> make_subset_search(
    runtime::StageContext& context, std::shared_ptr<retrieval::SubsetSearch::Parts> parts,
    std::int64_t k);

}  // namespace knnseq::stages
