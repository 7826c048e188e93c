#include "stages/shared/sample/sample_rule.hpp"

#include <algorithm>

#include "comm/agreement.hpp"
#include "core/hash.hpp"
#include "core/types.hpp"

namespace knnseq::stages {

namespace {

std::uint64_t hash_of(std::uint64_t seed, std::int64_t entry_number) {
  return core::seeded_hash(seed, static_cast<std::uint64_t>(entry_number));
}

/// Entry number of a batch's first entry, which names the batch whatever its shard is.
std::int64_t first_entry_of(const store::CorpusShard& shard, std::int64_t batch) {
  return shard.entry_starts[shard.sentences_of({batch, batch + 1}).begin];
}

struct HashedBatch {
  std::uint64_t hash;
  std::int64_t entries;
};

/// Batches of the corpus, each by one rank.
std::vector<HashedBatch> own_batches(comm::Communicator& comm, const SampledCorpus& corpus,
                                     std::uint64_t seed) {
  std::vector<HashedBatch> batches;
  comm::agree(comm, [&] {
    std::int64_t next = 0;
    for (const auto& [name, manifest] : corpus.shards.items()) {
      if (next++ % comm.size() != comm.rank()) continue;
      const auto shard = store::CorpusShard::read(corpus.folder, name, manifest);
      for (std::int64_t batch = 0; batch < shard.batches(); ++batch) {
        batches.push_back({hash_of(seed, first_entry_of(shard, batch)),
                           shard.entries_of({batch, batch + 1}).size()});
      }
    }
  });
  return batches;
}

/// Finds the rule by counting entries, 16 bits of their hashes at a time. visit(count): calls
/// count(hash, entries) for all that this rank knows. Collective.
template <class Visit>
SampleRule find_rule(comm::Communicator& comm, const SampleSpec& spec, const Visit& visit) {
  std::uint64_t prefix = 0;  // the bits of the wanted hash that are known
  std::int64_t rank_in_prefix = spec.size;
  for (int shift = 48; shift >= 0; shift -= 16) {
    std::vector<std::int64_t> counts(std::size_t{1} << 16, 0);
    const auto known = [&](std::uint64_t hash) { return shift == 48 ? 0 : hash >> (shift + 16); };
    visit([&](std::uint64_t hash, std::int64_t entries) {
      if (known(hash) == known(prefix)) counts[(hash >> shift) & 0xffff] += entries;
    });
    comm.all_reduce(counts, comm::Reduction::sum);
    std::uint64_t digit = 0;
    while (digit < 0xffff && rank_in_prefix > counts[digit]) rank_in_prefix -= counts[digit++];
    prefix |= digit << shift;
  }
  return {spec.seed, spec.unit, prefix, rank_in_prefix};
}

}  // namespace

bool SampleRule::contains(std::int64_t entry_number) const {
  return hash_of(seed, entry_number) <= largest_hash;
}

std::vector<std::int64_t> SampleRule::rows_of(const store::CorpusShard& shard) const {
  std::vector<std::int64_t> rows;
  if (unit == SampleUnit::batch) {
    for (std::int64_t batch = 0; batch < shard.batches(); ++batch) {
      const auto hash = hash_of(seed, first_entry_of(shard, batch));
      if (hash > largest_hash) continue;
      const auto all = shard.entries_of({batch, batch + 1});
      const auto count =
          hash < largest_hash ? all.size() : std::min(all.size(), rows_at_largest_hash);
      for (auto row = all.begin; row < all.begin + count; ++row) rows.push_back(row);
    }
    return rows;
  }
  for (std::size_t i = 0; i < shard.entry_starts.size(); ++i) {
    for (auto row = shard.sentence_starts[i]; row < shard.sentence_starts[i + 1]; ++row) {
      if (contains(shard.entry_starts[i] + row - shard.sentence_starts[i])) rows.push_back(row);
    }
  }
  return rows;
}

SampleRule make_sample_rule(comm::Communicator& comm, std::int64_t entries,
                            const SampleSpec& spec) {
  const core::Range mine = core::even_part(entries, comm.rank(), comm.size());
  return find_rule(comm, spec, [&](const auto& count) {
    for (std::int64_t entry = mine.begin; entry < mine.end; ++entry) {
      count(hash_of(spec.seed, entry), 1);
    }
  });
}

SampleRule make_corpus_sample_rule(comm::Communicator& comm, const SampledCorpus& corpus,
                                   const SampleSpec& spec) {
  if (spec.unit == SampleUnit::entry) return make_sample_rule(comm, corpus.entries, spec);
  const auto batches = own_batches(comm, corpus, spec.seed);
  return find_rule(comm, spec, [&](const auto& count) {
    for (const auto& batch : batches) count(batch.hash, batch.entries);
  });
}

}  // namespace knnseq::stages
