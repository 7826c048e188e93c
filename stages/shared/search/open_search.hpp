// The datastores of a decoding, ready to be searched by all ranks.
#pragma once

#include <memory>

#include "retrieval/distributed_search.hpp"
#include "runtime/stage_context.hpp"
#include "stages/shared/shards/built_datastore.hpp"

namespace knnseq::stages {

/// The datastores that a decoding searches: this run's own with all corpora of `append:`, or those
/// it names, one for each model. Of another run directory only the first corpus is searched: which
/// corpora belong to it, and in which order, is said by another config. Throws core::InputError (on
/// all ranks) as read_datastore() and require_config() do, or if k or nprobe are too large.
/// Collective.
std::vector<BuiltDatastore> check_search(runtime::StageContext& context, const Options& options,
                                         const DecodeOptions& decoding);

/// Throws core::InputError if a datastore, on this rank's device, cannot be searched so: k or
/// nprobe are too large, or its lists have no graph. Not collective.
void require_fits(const runtime::StageContext& context, const retrieval::SearchOptions& search,
                  const BuiltDatastore& datastore);

/// Throws core::InputError if nprobe is larger than the number of lists.
void require_enough_lists(const retrieval::SearchOptions& search, std::int64_t lists);

/// A datastore's codebook, and its entries as this rank reads them.
struct OpenIndex {
  index::Codebook codebook;
  std::shared_ptr<index::LocalIndex> entries;
  IndexCopies copies = IndexCopies::job;
  /// With IndexCopies::nodes: the ranks that this one exchanges with, one of each node.
  std::shared_ptr<comm::Communicator> group = nullptr;
};

/// Loads a datastore's codebook and its index in so many copies. With IndexCopies::job a rank has
/// its shards of all corpora; with more ranks than shards those of a team hold a part each. With
/// IndexCopies::nodes the ranks of a node read the shards, or parts, that the node has. Else each
/// rank reads all entries. Throws core::InputError (on all ranks) if a file is missing or
/// damaged. Collective.
OpenIndex open_index(runtime::StageContext& context, const BuiltDatastore& datastore,
                     const retrieval::SearchOptions& search, IndexCopies copies);

/// An index of entries that are in memory already; each rank gives all of them. Not collective.
OpenIndex open_entries(runtime::StageContext& context, const index::Codebook& codebook,
                       const index::CodedEntries& entries, const retrieval::SearchOptions& search);

/// The search in it: of all ranks together, or of this rank alone. Collective.
std::unique_ptr<retrieval::DistributedSearch> make_search(runtime::StageContext& context,
                                                          const OpenIndex& index,
                                                          const retrieval::SearchOptions& search);

}  // namespace knnseq::stages
