#include <algorithm>
#include <map>

#include "core/hash.hpp"
#include "runtime/shard_team.hpp"
#include "stages/shared/sample/sample_rule.hpp"
#include "support/mpi_main.hpp"
#include "support/shared_folder.hpp"

using namespace knnseq;
using namespace knnseq::stages;

namespace {

constexpr std::int64_t entries = 10'000;

SampleRule rule_of(std::int64_t size, std::uint64_t seed) {
  return make_sample_rule(test::world(), entries, {size, seed});
}

/// 40 batches of three sentences, of 1 to 7 entries each, distributed over shards; sentence i of
/// batch b is number 40·i + b of the corpus, and starts at entry 7 times that.
std::vector<store::CorpusShard> dealt_batches(std::int64_t shards) {
  std::vector<store::CorpusShard> dealt(shards);
  for (auto& shard : dealt) {
    for (auto* starts : {&shard.source_starts, &shard.sentence_starts, &shard.batch_starts}) {
      starts->push_back(0);
    }
  }
  for (std::int64_t batch = 0; batch < 40; ++batch) {
    auto& shard = dealt[batch % shards];
    for (std::int64_t i = 0; i < 3; ++i) {
      const auto length = static_cast<std::size_t>(1 + (batch + i) % 7);
      shard.source_tokens.push_back(0);
      shard.target_tokens.insert(shard.target_tokens.end(), length, 0);
      shard.source_starts.push_back(std::ssize(shard.source_tokens));
      shard.sentence_starts.push_back(std::ssize(shard.target_tokens));
      shard.sentence_numbers.push_back(40 * i + batch);
      shard.entry_starts.push_back(7 * (40 * i + batch));
      shard.line_numbers.push_back(40 * i + batch);
    }
    shard.batch_starts.push_back(shard.sentences());
  }
  return dealt;
}

/// Entry numbers of a sample of batches, ascending. Collective.
std::vector<std::int64_t> batch_sample(std::int64_t shards, const SampleSpec& spec) {
  auto& world = test::world();
  const auto folder = test::shared_folder("batches");
  const auto dealt = dealt_batches(shards);
  core::Json manifests = core::Json::object();
  std::int64_t total = 0;
  for (std::size_t s = 0; s < dealt.size(); ++s) {
    const auto name = runtime::shard_name(static_cast<std::int64_t>(s));
    if (world.is_root()) manifests[name] = dealt[s].write(folder, name);
    total += dealt[s].entries();
  }
  manifests = core::Json::parse(world.broadcast_string(manifests.dump()));
  const auto rule = make_corpus_sample_rule(world, {folder, manifests, total}, spec);
  std::vector<std::int64_t> chosen;
  for (const auto& shard : dealt) {
    for (const auto row : rule.rows_of(shard)) chosen.push_back(shard.entry_number(row));
  }
  std::sort(chosen.begin(), chosen.end());
  world.barrier();
  if (world.is_root()) std::filesystem::remove_all(folder);
  return chosen;
}

}  // namespace

TEST_CASE("a sample of batches is whole batches, those with the smallest hashes, and a rest") {
  const auto all = dealt_batches(1).front();
  for (const std::int64_t size : {1, 100, 333, 10'000}) {
    const auto chosen = batch_sample(1, {size, 5, SampleUnit::batch});
    REQUIRE_ALL(std::ssize(chosen) == std::min(size, all.entries()));
    std::map<std::uint64_t, std::int64_t> by_hash;
    for (std::int64_t batch = 0; batch < all.batches(); ++batch) {
      by_hash[core::seeded_hash(5, static_cast<std::uint64_t>(7 * batch))] = batch;
    }
    std::vector<std::int64_t> expected;
    for (const auto& [hash, batch] : by_hash) {
      const auto rows = all.entries_of({batch, batch + 1});
      for (auto row = rows.begin; row < rows.end && std::ssize(expected) < size; ++row) {
        expected.push_back(all.entry_number(row));
      }
    }
    std::sort(expected.begin(), expected.end());
    REQUIRE_ALL(chosen == expected);
  }
}

TEST_CASE("a sample of batches does not depend on shards, and a smaller one is part of a larger") {
  const SampleSpec larger{250, 3, SampleUnit::batch};
  const auto chosen = batch_sample(1, larger);
  for (const std::int64_t shards : {2, 3, 7}) REQUIRE_ALL(batch_sample(shards, larger) == chosen);
  const auto fewer = batch_sample(3, {90, 3, SampleUnit::batch});
  REQUIRE_ALL(std::includes(chosen.begin(), chosen.end(), fewer.begin(), fewer.end()));
  REQUIRE_ALL(batch_sample(1, {250, 4, SampleUnit::batch}) != chosen);
}

TEST_CASE("the sample is the entries with the smallest hashes, as many as were asked for") {
  for (const std::int64_t size : {1, 2, 777, 9'999}) {
    const auto rule = rule_of(size, 42);
    std::vector<std::uint64_t> hashes;
    std::int64_t chosen = 0;
    for (std::int64_t entry = 0; entry < entries; ++entry) {
      hashes.push_back(core::seeded_hash(42, static_cast<std::uint64_t>(entry)));
      chosen += rule.contains(entry) ? 1 : 0;
    }
    std::sort(hashes.begin(), hashes.end());
    REQUIRE_ALL(rule.largest_hash == hashes[size - 1]);
    REQUIRE_ALL(chosen == size);
  }
}

TEST_CASE("a sample larger than the datastore is all of it") {
  const auto rule = rule_of(entries + 5, 42);
  bool all = true;
  for (std::int64_t entry = 0; entry < entries; ++entry) all = all && rule.contains(entry);
  REQUIRE_ALL(all);
}

TEST_CASE("the sample is uniform over the entries, and another seed gives another") {
  const auto one = rule_of(2'000, 1);
  const auto two = rule_of(2'000, 2);
  std::vector<std::int64_t> tenths(10, 0);
  std::int64_t both = 0;
  for (std::int64_t entry = 0; entry < entries; ++entry) {
    if (!one.contains(entry)) continue;
    ++tenths[entry * 10 / entries];
    both += two.contains(entry) ? 1 : 0;
  }
  for (const auto count : tenths)
    CHECK(std::abs(count - 200) < 60);  // 200 ± 4.7 standard deviations
  REQUIRE_ALL(std::abs(both - 400) < 100);
}

TEST_CASE("which samples hold which") {
  const SampleSpec stored{2'000, 1};
  CHECK(stored.holds({2'000, 1}, entries));
  CHECK(stored.holds({1, 1}, entries));
  CHECK_FALSE(stored.holds({2'001, 1}, entries));
  CHECK_FALSE(stored.holds({1, 2}, entries));
  CHECK(stored.holds({1'000, 2}, 2'000));  // it is all of the datastore
  CHECK(stored.of(entries) == stored);
  CHECK(stored.of(2'000) == SampleSpec{2'000, 0});
  CHECK(stored.of(7) == SampleSpec{7, 0});
  CHECK(SampleSpec::from_json(stored.to_json()) == stored);
  const SampleSpec batches{2'000, 1, SampleUnit::batch};
  CHECK_FALSE(stored.holds(batches, entries));
  CHECK_FALSE(batches.holds(stored, entries));
  CHECK(batches.holds(stored, 2'000));
  CHECK(batches.of(2'000) == stored.of(2'000));
  CHECK(SampleSpec::from_json(batches.to_json()) == batches);
}
