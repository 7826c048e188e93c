#include <algorithm>

#include "core/hash.hpp"
#include "stages/encode/sample.hpp"
#include "support/mpi_main.hpp"

using namespace knnseq;
using namespace knnseq::stages;

namespace {

constexpr std::int64_t entries = 10'000;

/// This rank's sentences of 1 to 7 entries, dealt in turn.
std::vector<core::Range> own_sentences() {
  auto& world = test::world();
  std::vector<core::Range> mine;
  std::int64_t begin = 0;
  for (std::int64_t i = 0; begin < entries; ++i) {
    const auto end = std::min(entries, begin + 1 + i % 7);
    if (i % world.size() == world.rank()) mine.push_back({begin, end});
    begin = end;
  }
  return mine;
}

}  // namespace

TEST_CASE("the sample is the entries with the smallest hashes, as many as were asked for") {
  for (const std::int64_t size : {1, 2, 777, 9'999}) {
    const auto rule = make_sample_rule(test::world(), own_sentences(), size, 42);
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
  const auto rule = make_sample_rule(test::world(), own_sentences(), entries + 5, 42);
  bool all = true;
  for (std::int64_t entry = 0; entry < entries; ++entry) all = all && rule.contains(entry);
  REQUIRE_ALL(all);
}

TEST_CASE("the sample is uniform over the entries, and another seed gives another") {
  const auto one = make_sample_rule(test::world(), own_sentences(), 2'000, 1);
  const auto two = make_sample_rule(test::world(), own_sentences(), 2'000, 2);
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
