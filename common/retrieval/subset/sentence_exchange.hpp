// The entries of sentences that a rank wants, from its own memory or from the ranks that hold them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "comm/communicator.hpp"
#include "retrieval/subset/local_sentence_store.hpp"
#include "retrieval/subset/shard_holders.hpp"

namespace knnseq::retrieval {

/// Sentences whose values and codes lie in the store that was asked, or in `received`. To be moved,
/// not copied.
struct FetchedSentences {
  std::vector<HeldSentence> sentences;              ///< [wanted]
  std::vector<comm::Gathered<std::byte>> received;  ///< from other ranks
};

/// wanted: sentence ids (pack_sentence_id), in any order, repeated or not; ranks may want nothing.
/// Ranks ask for 8,192 sentences at a time, so that messages hold no more than that for each rank.
/// A rank alone asks nobody: values and codes lie in `held`, which must outlive the result. Throws
/// std::logic_error on the rank that should hold a sentence and does not. Collective.
FetchedSentences fetch_sentences(comm::Communicator& comm, const LocalSentenceStore& held,
                                 const ShardHolders& holders, std::span<const std::int64_t> wanted);

}  // namespace knnseq::retrieval
