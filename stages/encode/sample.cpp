#include "stages/encode/sample.hpp"

#include "core/hash.hpp"

namespace knnseq::stages {

namespace {
std::uint64_t hash_of(std::uint64_t seed, std::int64_t entry_number) {
  return core::seeded_hash(seed, static_cast<std::uint64_t>(entry_number));
}
}  // namespace

bool SampleRule::contains(std::int64_t entry_number) const {
  return hash_of(seed, entry_number) <= largest_hash;
}

SampleRule make_sample_rule(comm::Communicator& comm,
                            const std::vector<core::Range>& sentence_entries, std::int64_t size,
                            std::uint64_t seed) {
  std::uint64_t prefix = 0;  // the bits of the wanted hash that are known
  std::int64_t rank_in_prefix = size;
  for (int shift = 48; shift >= 0; shift -= 16) {
    std::vector<std::int64_t> counts(std::size_t{1} << 16, 0);
    const auto known = [&](std::uint64_t hash) { return shift == 48 ? 0 : hash >> (shift + 16); };
    for (const auto& range : sentence_entries) {
      for (std::int64_t entry = range.begin; entry < range.end; ++entry) {
        const auto hash = hash_of(seed, entry);
        if (known(hash) == known(prefix)) ++counts[(hash >> shift) & 0xffff];
      }
    }
    comm.all_reduce(counts, comm::Reduction::sum);
    std::uint64_t digit = 0;
    while (digit < 0xffff && rank_in_prefix > counts[digit]) rank_in_prefix -= counts[digit++];
    prefix |= digit << shift;
  }
  return {seed, prefix};
}

std::vector<std::int64_t> sample_rows(const store::CorpusShard& shard, const SampleRule& rule) {
  std::vector<std::int64_t> rows;
  for (std::size_t i = 0; i < shard.entry_starts.size(); ++i) {
    for (auto row = shard.sentence_starts[i]; row < shard.sentence_starts[i + 1]; ++row) {
      if (rule.contains(shard.entry_starts[i] + row - shard.sentence_starts[i])) {
        rows.push_back(row);
      }
    }
  }
  return rows;
}

}  // namespace knnseq::stages
