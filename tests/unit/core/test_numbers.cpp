#include <set>

#include <catch2/catch.hpp>

#include "core/entry_id.hpp"
#include "core/hash.hpp"
#include "core/random.hpp"
#include "core/types.hpp"
#include "support/normal.hpp"

using namespace knnseq::core;

TEST_CASE("narrow refuses what does not fit") {
  CHECK(narrow<std::int32_t>(std::int64_t{7}) == 7);
  CHECK_THROWS_AS(narrow<std::int32_t>(std::int64_t{1} << 31), std::logic_error);
  CHECK_THROWS_AS(narrow<std::uint32_t>(-1), std::logic_error);
}

TEST_CASE("even parts cover everything once") {
  for (const std::int64_t total : {0, 1, 5, 7, 100}) {
    for (const std::int64_t parts : {1, 2, 3, 8}) {
      std::int64_t next = 0;
      for (std::int64_t part = 0; part < parts; ++part) {
        const auto range = even_part(total, part, parts);
        CHECK(range.begin == next);
        CHECK(range.size() >= total / parts);
        CHECK(range.size() <= total / parts + 1);
        next = range.end;
      }
      CHECK(next == total);
    }
  }
}

TEST_CASE("entry ids hold token and entry number") {
  const auto id = pack_entry_id(8'000'000, max_entry_number);
  CHECK(id > 0);
  CHECK(token_of(id) == 8'000'000);
  CHECK(entry_number_of(id) == max_entry_number);
  CHECK(pack_entry_id(0, 0) == 0);
  CHECK_THROWS_AS(pack_entry_id(-1, 0), std::logic_error);
  CHECK_THROWS_AS(pack_entry_id(1 << 23, 0), std::logic_error);
  CHECK_THROWS_AS(pack_entry_id(0, max_entry_number + 1), std::logic_error);
}

TEST_CASE("seeded hashes are distinct, and differ by seed") {
  std::set<std::uint64_t> seen;
  for (std::uint64_t i = 0; i < 10'000; ++i) seen.insert(seeded_hash(1, i));
  CHECK(seen.size() == 10'000);
  CHECK(seeded_hash(1, 5) != seeded_hash(2, 5));
}

TEST_CASE("fingerprints are XXH3-128 and stream") {
  CHECK(fingerprint("") == "99aa06d3014798d86001c324468d497f");  // xxhsum -H128 of nothing
  Fingerprinter streamed;
  const std::string text = "knn machine translation";
  for (const char c : text) streamed.update(std::as_bytes(std::span(&c, 1)));
  CHECK(streamed.digest() == fingerprint(text));
}

TEST_CASE("random numbers have the right moments") {
  Random random(3);
  double mean = 0, normal_mean = 0, normal_square = 0;
  constexpr int n = 100'000;
  for (int i = 0; i < n; ++i) {
    mean += random.uniform() / n;
    const double z = knnseq::test::normal(random);
    normal_mean += z / n;
    normal_square += z * z / n;
  }
  CHECK(mean == Approx(0.5).margin(0.005));
  CHECK(normal_mean == Approx(0).margin(0.02));
  CHECK(normal_square == Approx(1).margin(0.02));
}
