// What a decoding with kNN searches in, and how its neighbours are mixed in.
#pragma once

#include <optional>
#include <vector>

#include "retrieval/knn_mixer.hpp"
#include "retrieval/subset/subset_search.hpp"
#include "runtime/stage_context.hpp"
#include "stages/shared/search/built_subset.hpp"
#include "stages/shared/search/resident.hpp"
#include "stages/shared/shards/built_datastore.hpp"

namespace knnseq::stages {

/// What a decoding searches in, checked.
struct SearchedData {
  std::vector<BuiltDatastore> datastores;  ///< of plain kNN
  std::optional<BuiltSubset> subset;       ///< of subset kNN
};

/// Empty without kNN. Throws core::InputError (on all ranks) as check_search() and read_subset()
/// do. Collective.
SearchedData check_data(runtime::StageContext& context, const Options& options,
                        const DecodeOptions& decoding);

/// All that makes a difference to a decoding's neighbours, by name: inputs of the stages that
/// search.
core::Json search_inputs(const runtime::StageContext& context, const Options& options,
                         const DecodeOptions& decoding, const SearchedData& data);

/// Opens all that a decoding with kNN searches in, as far as it is not resident. See
/// retrieval::KnnMixer for how it is used, and make_sentence_block() for what begin() takes. Throws
/// core::InputError (on all ranks) if a file is missing or damaged. Collective.
retrieval::KnnMixer open_mixer(runtime::StageContext& context, const Options& options,
                               const DecodeOptions& decoding, const SearchedData& data,
                               Resident& resident);

/// The policy of a decoding, on this rank's device. Throws core::InputError. Not collective.
std::unique_ptr<retrieval::MixingPolicy> make_policy(const runtime::StageContext& context,
                                                     const DecodeOptions& decoding);

/// What mode memory searches in. Throws as open_subset(). Collective.
std::unique_ptr<retrieval::SubsetSearch> open_memory(runtime::StageContext& context,
                                                     const Options& options,
                                                     const DecodeOptions& decoding,
                                                     const SearchedData& data, Resident& resident);

}  // namespace knnseq::stages
