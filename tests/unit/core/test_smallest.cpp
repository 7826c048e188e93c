// The best of many items that pass by, against sorting them.
#include <algorithm>
#include <vector>

#include <catch2/catch.hpp>

#include "core/random.hpp"
#include "core/smallest.hpp"

using namespace knnseq;

TEST_CASE("The smallest of many items are those that sorting puts first") {
  // In order up to 512, a heap from there on.
  const std::size_t capacity = GENERATE(1, 2, 31, 512, 513, 2000);
  const std::size_t offered = GENERATE(0, 1, 513, 3000);
  const int limit = GENERATE(1000, 400);
  core::Random random(capacity + offered);
  std::vector<int> all;
  core::Smallest<int> smallest(capacity, limit);
  for (std::size_t i = 0; i < offered; ++i) {
    const auto item = static_cast<int>(random.below(900));  // many are equal
    smallest.offer(item);
    if (item < limit) all.push_back(item);
    std::ranges::sort(all);
    if (all.size() > capacity) all.pop_back();
    REQUIRE(smallest.limit() == (all.size() < capacity ? limit : all.back()));
  }
  REQUIRE(smallest.take_sorted() == all);
  REQUIRE(smallest.limit() == limit);
  smallest.offer(limit - 1);
  REQUIRE(smallest.take_sorted() == std::vector{limit - 1});
}
