#include "stages/sample_rule.hpp"

#include <algorithm>
#include <vector>

#include "core/hash.hpp"
#include "core/types.hpp"

namespace knnseq::stages {

namespace {
std::uint64_t hash_of(std::uint64_t seed, std::int64_t entry_number) {
  return core::seeded_hash(seed, static_cast<std::uint64_t>(entry_number));
}
}  // namespace

SampleSpec SampleSpec::of(std::int64_t entries) const {
  return size < entries ? *this : SampleSpec{entries, 0};
}

bool SampleSpec::holds(const SampleSpec& other, std::int64_t entries) const {
  return size >= entries || (seed == other.seed && size >= other.size);
}

core::Json SampleSpec::to_json() const { return {{"size", size}, {"seed", seed}}; }

SampleSpec SampleSpec::from_json(const core::Json& json) {
  return {json.at("size").get<std::int64_t>(), json.at("seed").get<std::uint64_t>()};
}

bool SampleRule::contains(std::int64_t entry_number) const {
  return hash_of(seed, entry_number) <= largest_hash;
}

SampleRule make_sample_rule(comm::Communicator& comm, std::int64_t entries,
                            const SampleSpec& spec) {
  const core::Range mine = core::even_part(entries, comm.rank(), comm.size());
  std::uint64_t prefix = 0;  // the bits of the wanted hash that are known
  std::int64_t rank_in_prefix = spec.size;
  for (int shift = 48; shift >= 0; shift -= 16) {
    std::vector<std::int64_t> counts(std::size_t{1} << 16, 0);
    const auto known = [&](std::uint64_t hash) { return shift == 48 ? 0 : hash >> (shift + 16); };
    for (std::int64_t entry = mine.begin; entry < mine.end; ++entry) {
      const auto hash = hash_of(spec.seed, entry);
      if (known(hash) == known(prefix)) ++counts[(hash >> shift) & 0xffff];
    }
    comm.all_reduce(counts, comm::Reduction::sum);
    std::uint64_t digit = 0;
    while (digit < 0xffff && rank_in_prefix > counts[digit]) rank_in_prefix -= counts[digit++];
    prefix |= digit << shift;
  }
  return {spec.seed, prefix};
}

}  // namespace knnseq::stages
