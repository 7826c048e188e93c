// Which entries train the codebook.
#pragma once

#include <vector>

#include "comm/communicator.hpp"
#include "store/corpus_shard.hpp"

namespace knnseq::stages {

/// The sample is those `size` entries whose hashes of (seed, entry number) are smallest: uniform,
/// and the same for any number of shards and ranks. The hash is a bijection, so there are no ties.
struct SampleRule {
  std::uint64_t seed = 1;
  std::uint64_t largest_hash = 0;  ///< of the entries that belong to it

  bool contains(std::int64_t entry_number) const;
};

/// Finds the size-th smallest hash by counting, 16 bits at a time; nothing but counts crosses
/// ranks. sentence_entries: entry numbers of the sentences that this rank counts, each counted
/// once. Where there are fewer entries than `size`, all belong to the sample. Collective.
SampleRule make_sample_rule(comm::Communicator& comm,
                            const std::vector<core::Range>& sentence_entries, std::int64_t size,
                            std::uint64_t seed);

/// Rows of the shard that belong to the sample, ascending.
std::vector<std::int64_t> sample_rows(const store::CorpusShard& shard, const SampleRule& rule);

}  // namespace knnseq::stages
