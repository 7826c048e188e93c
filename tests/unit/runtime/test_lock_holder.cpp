// The rules by which a lock is taken over.
#include <catch2/catch.hpp>

#include "runtime/lock_holder.hpp"

using namespace knnseq::runtime;

namespace {

constexpr std::int64_t now = 1'000'000;
constexpr std::int64_t silent_seconds = 60;

LockHolder holder() {
  LockHolder one;
  one.host = "node3";
  one.pid = 7;
  one.process_space = "boot-3";
  one.since_seconds = now - 500;
  one.beat_seconds = now - 5;
  return one;
}

LockHolder self() {
  LockHolder one;
  one.host = "node4";
  one.pid = 8;
  one.process_space = "boot-4";
  one.since_seconds = one.beat_seconds = now;
  return one;
}

HolderState judged(const LockHolder& other, const LockHolder& mine, bool there = false) {
  return judge(other, mine, there, silent_seconds);
}

}  // namespace

TEST_CASE("a holder elsewhere is at work as long as it gives signs of life") {
  auto other = holder();
  CHECK(judged(other, self()) == HolderState::at_work);
  other.beat_seconds = now - silent_seconds + 1;
  CHECK(judged(other, self()) == HolderState::at_work);
  other.beat_seconds = now - silent_seconds;
  CHECK(judged(other, self()) == HolderState::silent);
  other.beat_seconds = now + 1000;  // its clock is ahead
  CHECK(judged(other, self()) == HolderState::at_work);
}

TEST_CASE("where process numbers mean the same, the process decides, however long it was silent") {
  auto other = holder();
  other.process_space = self().process_space;
  CHECK(judged(other, self(), true) == HolderState::at_work);
  CHECK(judged(other, self(), false) == HolderState::gone);
  other.beat_seconds = now - 10 * silent_seconds;
  CHECK(judged(other, self(), true) == HolderState::at_work);
}

TEST_CASE("a process of the same number elsewhere, or in another container, says nothing") {
  CHECK(judged(holder(), self(), true) == HolderState::at_work);
  auto other = holder();
  other.beat_seconds = now - silent_seconds;
  CHECK(judged(other, self(), true) == HolderState::silent);
  auto unknown = self();
  unknown.process_space.clear();  // no /proc
  other.process_space.clear();
  CHECK(judged(other, unknown, true) == HolderState::silent);
}

TEST_CASE("what a requeued job was before is gone; steps of one job side by side are not") {
  auto other = holder();
  auto mine = self();
  other.job = mine.job = "42";
  CHECK(judged(other, mine) == HolderState::at_work);
  mine.restarts = 1;
  CHECK(judged(other, mine) == HolderState::requeued);
  other.restarts = 1;
  CHECK(judged(other, mine) == HolderState::at_work);
  other.restarts = 0;
  other.job = "43";
  CHECK(judged(other, mine) == HolderState::at_work);
  other.job = mine.job = "";  // outside Slurm
  CHECK(judged(other, mine) == HolderState::at_work);
}

TEST_CASE("a holder says who it is, and comes back from its record") {
  auto one = this_process(now);
  one.job = "42";
  CHECK(one.name() == "process " + std::to_string(one.pid) + " on " + one.host + " (job 42)");
  CHECK(process_is_there(one));
  const auto back = lock_holder_from(to_json(one));
  CHECK(to_json(back) == to_json(one));
  CHECK(this_process(now).token != one.token);
  ++one.process_start;  // the number was given to another process since
  CHECK_FALSE(process_is_there(one));
}

TEST_CASE("a holder with numbers that cannot be is none") {
  const auto json = to_json(holder());
  CHECK(lock_holder_from(json).pid == 7);
  for (const char* key : {"pid", "since", "heartbeat", "restarts", "process_start"}) {
    for (const char* value :
         {"-1", "1e300", "0.5", "9223372036854775808", "\"7\"", "-9223372036854775808", "null"}) {
      auto other = json;
      other[key] = knnseq::core::Json::parse(value);
      INFO(key << " " << value);
      CHECK_THROWS(lock_holder_from(other));
    }
  }
}
