// The entries of sentences that a rank wants, from its own memory or from the ranks that hold them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "comm/communicator.hpp"
#include "retrieval/subset/local_sentence_store.hpp"
#include "retrieval/subset/shard_holders.hpp"

namespace knnseq::retrieval {

/// The entries of some sentences, one after another.
struct FetchedSentences {
  std::vector<std::int64_t> sentences;               ///< ids, ascending
  std::vector<std::int64_t> starts{0};               ///< [sentences + 1] entries
  std::vector<std::int64_t> ids;                     ///< [entries] packed entry ids
  std::vector<std::span<const std::uint8_t>> codes;  ///< of each sentence: [its entries, m]
  std::vector<std::uint8_t> received;                ///< that those codes lie in, if they came

  /// Entries of a sentence that was fetched.
  std::span<const std::int64_t> ids_of(std::size_t place) const;
  std::span<const std::uint8_t> codes_of(std::size_t place) const { return codes[place]; }
  /// Throws std::logic_error if the sentence was not fetched.
  std::size_t place_of(std::int64_t sentence_id) const;
};

/// wanted: sentence ids (pack_sentence_id), in any order, repeated or not; ranks may want nothing.
/// Ranks ask for 8,192 sentences at a time, so that messages hold no more than that for each rank.
/// A rank alone asks nobody: codes lie in `held`, which must outlive the result. Collective.
FetchedSentences fetch_sentences(comm::Communicator& comm, const LocalSentenceStore& held,
                                 const ShardHolders& holders, std::span<const std::int64_t> wanted);

}  // namespace knnseq::retrieval
