// How often the index is held in memory, and by which ranks together.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/stage_context.hpp"
#include "stages/shared/options/options.hpp"
#include "stages/shared/plan/subset_memory.hpp"
#include "stages/shared/shards/built_datastore.hpp"

namespace knnseq::stages {

/// What the choice depends on; the same on all ranks.
struct CopyFacts {
  IndexCopies wanted = IndexCopies::automatic;
  std::int64_t ranks = 1;
  std::int64_t nodes = 1;        ///< that these are on
  std::int64_t node_ranks = 1;   ///< the most that are on one of them
  bool even_nodes = true;        ///< as many ranks on each
  bool in_subsets = false;       ///< of codes of sentences, which lie in the host's memory
  bool on_gpu = false;           ///< the index is searched in the memories of GPUs
  bool shares_gpu = false;       ///< of ranks, two have the same GPU
  bool shareable = true;         ///< index::lies_in_shared_memory() of all datastores
  bool can_share = true;         ///< comm::can_share_memory() on every node
  std::int64_t index_bytes = 0;  ///< of one copy: about
  std::int64_t rank_bytes = 0;   ///< beside it, of each rank that reads it
  std::int64_t free_bytes = 0;   ///< of the node, or GPU, with least
};

struct ChosenCopies {
  IndexCopies copies = IndexCopies::job;  ///< never automatic
  std::string reason;                     ///< for the log
};

/// The smallest group of ranks whose memory holds a copy: the fewer ranks a copy is spread over,
/// the fewer must exchange at each step of decoding. Throws core::InputError if what is wanted
/// cannot be.
ChosenCopies choose_copies(const CopyFacts& facts);

/// The choice for a decoding that searches in these datastores; rank 0 logs it. Throws
/// core::InputError on all ranks. Collective.
IndexCopies choose_copies(runtime::StageContext& context, const DecodeOptions& decoding,
                          const std::vector<BuiltDatastore>& datastores);

/// The choice for subsets, of which one copy takes so much: never IndexCopies::nodes. Likewise.
IndexCopies choose_subset_copies(runtime::StageContext& context, IndexCopies wanted,
                                 const SubsetMemory& copy);

}  // namespace knnseq::stages
