#include <catch2/catch.hpp>

#include "stages/shared/translation/block_schedule.hpp"

using namespace knnseq::stages;

namespace {

std::vector<std::int64_t> statuses(std::initializer_list<RankStatus> list) {
  std::vector<std::int64_t> numbers;
  for (const auto status : list) numbers.push_back(static_cast<std::int64_t>(status));
  return numbers;
}

constexpr auto busy = RankStatus::busy, waiting = RankStatus::waiting, idle = RankStatus::idle,
               stopped = RankStatus::stopped;

}  // namespace

TEST_CASE("blocks go to the ranks that wait, lowest rank first, alike on all ranks") {
  BlockSchedule on_0({4, 7, 9}), on_2({4, 7, 9});
  const auto first = statuses({waiting, busy, waiting});
  CHECK(on_0.update(first, 0) == 4);
  CHECK(on_2.update(first, 2) == 7);
  const auto second = statuses({busy, waiting, busy});
  CHECK_FALSE(on_0.update(second, 0).has_value());
  CHECK_FALSE(on_2.update(second, 2).has_value());
  const auto third = statuses({busy, busy, waiting});  // rank 1 took the last one
  CHECK_FALSE(on_2.update(third, 2).has_value());
  CHECK_FALSE(on_2.finished());
}

TEST_CASE("it is finished when nobody is busy or waiting") {
  BlockSchedule schedule({});
  schedule.update(statuses({waiting, idle}), 0);
  CHECK_FALSE(schedule.finished());
  schedule.update(statuses({idle, busy}), 0);
  CHECK_FALSE(schedule.finished());
  schedule.update(statuses({idle, stopped}), 0);
  CHECK(schedule.finished());
}

TEST_CASE("the rank that comes first can be another one") {
  BlockSchedule on_0({4, 7}, 1), on_1({4, 7}, 1), on_2({4, 7}, 1);
  const auto all = statuses({waiting, waiting, waiting});
  CHECK_FALSE(on_0.update(all, 0).has_value());
  CHECK(on_1.update(all, 1) == 4);
  CHECK(on_2.update(all, 2) == 7);
}

TEST_CASE("after one rank was told to stop nobody begins another block") {
  BlockSchedule schedule({1, 2, 3});
  CHECK_FALSE(schedule.update(statuses({waiting, stopped}), 0).has_value());
  CHECK_FALSE(schedule.update(statuses({waiting, idle}), 0).has_value());
}
