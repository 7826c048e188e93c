#include <algorithm>

#include "core/hash.hpp"
#include "stages/sample_rule.hpp"
#include "support/mpi_main.hpp"

using namespace knnseq;
using namespace knnseq::stages;

namespace {

constexpr std::int64_t entries = 10'000;

SampleRule rule_of(std::int64_t size, std::uint64_t seed) {
  return make_sample_rule(test::world(), entries, {size, seed});
}

}  // namespace

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
    REQUIRE_ALL(rule.largest_hash == hashes[static_cast<std::size_t>(size - 1)]);
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
    ++tenths[static_cast<std::size_t>(entry * 10 / entries)];
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
}
