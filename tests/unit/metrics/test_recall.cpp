#include <vector>

#include <catch2/catch.hpp>

#include "metrics/recall.hpp"

using namespace knnseq::metrics;

namespace {

const std::vector<std::int64_t> entries = {7, 3, 9, 1, 4};
const std::vector<float> distances = {1, 2, 2, 2, 5};

RecallCount recall(const std::vector<std::int64_t>& found, std::int64_t k) {
  return count_recall(found, entries, distances, k);
}

}  // namespace

TEST_CASE("the true neighbours among the first k are counted, in any order") {
  CHECK(recall({7, 3, 9, 1, 4}, 5).share() == 1);
  CHECK(recall({4, 1, 9, 3, 7}, 5).share() == 1);
  CHECK(recall({8, 7}, 1).hits == 0);  // found, but second
  CHECK(recall({7, 8}, 1).hits == 1);
  const auto some = recall({7, -1, -1, -1, -1}, 5);
  CHECK(some.hits == 1);
  CHECK(some.of == 5);
}

TEST_CASE("a neighbour as near as the k-th is as good as it") {
  CHECK(recall({7, 1}, 2).share() == 1);    // 1 is as near as 3, the second
  CHECK(recall({9, 1}, 2).share() == 1);    // and so are both of these
  CHECK(recall({7, 4}, 2).share() == 0.5);  // 4 is farther
  CHECK(recall({3, 7}, 1).hits == 0);       // the first has no tie
}

TEST_CASE("fewer neighbours than k") {
  const std::vector<std::int64_t> two = {5, 6, -1, -1};
  const std::vector<float> at = {1, 2, INFINITY, INFINITY};
  const auto count = count_recall(std::vector<std::int64_t>{6, 5, -1}, two, at, 3);
  CHECK(count.hits == 2);
  CHECK(count.of == 2);
  const std::vector<std::int64_t> none = {-1};
  const auto nothing = count_recall(none, none, std::vector<float>{INFINITY}, 1);
  CHECK(nothing.of == 0);
  CHECK(nothing.share() == 0);
}

TEST_CASE("counts add up") {
  RecallCount sum;
  sum += recall({7}, 1);
  sum += recall({3}, 1);
  CHECK(sum.share() == 0.5);
}
