// Which entries train the codebook.
#pragma once

#include <vector>

#include "comm/communicator.hpp"
#include "core/files.hpp"
#include "stages/shared/options/sample_spec.hpp"
#include "store/corpus_shard.hpp"

namespace knnseq::stages {

/// The corpus that entries are drawn from, as partition has left it.
struct SampledCorpus {
  std::filesystem::path folder;
  core::Json shards;         ///< of its manifest, by name
  std::int64_t entries = 0;  ///< of all shards
};

/// The sample is those `size` entries whose hashes are smallest, by (hash, row in the batch). In
/// samples of entries an entry's hash is that of (seed, entry number); in samples of batches it is
/// its batch's, that of (seed, entry number of the batch's first entry). So it is uniform over
/// entries or batches, the same for any number of shards and ranks, and a smaller sample of the
/// same seed is part of a larger one. The hash is a bijection, so there are no ties.
struct SampleRule {
  std::uint64_t seed = 1;
  SampleUnit unit = SampleUnit::entry;
  std::uint64_t largest_hash = 0;         ///< of what belongs to it
  std::int64_t rows_at_largest_hash = 1;  ///< entries of that batch which belong to it

  /// Of samples of entries.
  bool contains(std::int64_t entry_number) const;
  /// Rows of the shard that belong to the sample, ascending.
  std::vector<std::int64_t> rows_of(const store::CorpusShard& shard) const;
};

/// Finds the size-th smallest hash of the entries 0, 1, … by counting, 16 bits at a time, each rank
/// its even share of them. If there are fewer entries than `size`, all belong to the sample.
/// spec.unit must be entry. Collective.
SampleRule make_sample_rule(comm::Communicator& comm, std::int64_t entries, const SampleSpec& spec);

/// The same for either unit. For batches the ranks read the corpus's shards in turn; throws
/// core::InputError (on all ranks) if one is damaged. Collective.
SampleRule make_corpus_sample_rule(comm::Communicator& comm, const SampledCorpus& corpus,
                                   const SampleSpec& spec);

}  // namespace knnseq::stages
