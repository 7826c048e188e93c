// The kNN search of a decoding in rounds of blocks: plain or in subsets.
#pragma once

#include <memory>
#include <optional>

#include "retrieval/block_search.hpp"
#include "runtime/stage_context.hpp"
#include "stages/shared/search/built_subset.hpp"
#include "stages/shared/shards/built_datastore.hpp"

namespace knnseq::stages {

/// What a decoding searches in, checked.
struct SearchedData {
  std::vector<BuiltDatastore> datastores;  ///< of plain kNN
  std::optional<BuiltSubset> subset;       ///< of subset kNN
};

/// Nothing without kNN. Throws core::InputError (on all ranks) as check_search() and read_subset()
/// do. Collective.
SearchedData check_data(runtime::StageContext& context, const Options& options,
                        const DecodeOptions& decoding);

/// All that makes a difference to a decoding's neighbours, by name: inputs of the stages that
/// search.
core::Json search_inputs(const runtime::StageContext& context, const Options& options,
                         const DecodeOptions& decoding, const SearchedData& data);

/// Opens the search of a decoding with kNN; of plain kNN there must be one datastore. See
/// retrieval::BlockSearch for how it is used, and make_sentence_block() for what begin() takes.
/// Throws core::InputError (on all ranks) where a file is missing or damaged. Collective.
std::unique_ptr<retrieval::BlockSearch> open_block_search(runtime::StageContext& context,
                                                          const Options& options,
                                                          const DecodeOptions& decoding,
                                                          const SearchedData& data);

}  // namespace knnseq::stages
