#include <fstream>
#include <thread>

#include <catch2/catch.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include "core/error.hpp"
#include "runtime/run_lock.hpp"
#include "support/temporary_folder.hpp"

using namespace knnseq;
using namespace knnseq::runtime;
using Catch::Matchers::Contains;

namespace {

constexpr LockTiming quick{0.05, 60};

std::int64_t now_seconds() { return std::time(nullptr); }

/// A holder on another machine, heard of so many seconds ago.
LockHolder elsewhere(std::int64_t seconds_ago) {
  auto holder = this_process(now_seconds() - seconds_ago);
  holder.host = "node3";
  holder.job = "42";
  holder.process_space = "elsewhere";
  return holder;
}

void write(const std::filesystem::path& file, const LockHolder& holder) {
  std::ofstream(file, std::ios::trunc) << to_json(holder).dump() << "\n";
}

}  // namespace

TEST_CASE("a lock is refused while it is held, with its holder, and free afterwards") {
  test::TemporaryFolder folder;
  const auto file = folder / "lock";
  {
    const RunLock lock(file, quick);
    CHECK(lock.notice().empty());
    CHECK_THROWS_AS(RunLock(file, quick), core::InputError);
    CHECK_THROWS_WITH(RunLock(file, quick),
                      Contains("is in use by another job: " + this_process(0).name() + ", for "));
  }
  CHECK(core::read_file(file).empty());
  CHECK(RunLock(file, quick).notice().empty());
}

TEST_CASE("a lock of a process that is gone is taken over, with a notice") {
  test::TemporaryFolder folder;
  const auto file = folder / "lock";
  const pid_t child = ::fork();
  if (child == 0) {
    new RunLock(file, quick);
    ::_exit(0);
  }
  ::waitpid(child, nullptr, 0);
  const RunLock lock(file, quick);
  CHECK_THAT(lock.notice(), Contains("process " + std::to_string(child) + " on "));
  CHECK_THAT(lock.notice(), Contains("is gone"));
}

TEST_CASE("a lock of another machine is refused while it beats, and taken over if it is silent") {
  test::TemporaryFolder folder;
  const auto file = folder / "lock";
  write(file, elsewhere(0));
  CHECK_THROWS_WITH(RunLock(file, quick),
                    Contains("process " + std::to_string(::getpid()) + " on node3 (job 42), for "));
  CHECK_THROWS_WITH(RunLock(file, quick), Contains(" s, last sign of life ") && Contains(" s ago"));
  write(file, elsewhere(600));
  CHECK_THAT(RunLock(file, quick).notice(), Contains("no more signs of life"));
}

TEST_CASE("a holder whose clock is behind is not silent as long as it goes on") {
  test::TemporaryFolder folder;
  const auto file = folder / "lock";
  auto holder = elsewhere(600);
  write(file, holder);
  std::thread beats([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(150));
    ++holder.beat_seconds;
    write(file, holder);
  });
  CHECK_THROWS_WITH(RunLock(file, LockTiming{0.3, 60}), Contains("is in use"));
  beats.join();
}

TEST_CASE("a lock that is a symbolic link is refused, and what it leads to stays as it is") {
  test::TemporaryFolder folder;
  const auto theirs = folder.write("theirs", "text");
  std::filesystem::create_symlink(theirs, folder / "lock");
  CHECK_THROWS_AS(RunLock(folder / "lock", quick), core::InputError);
  CHECK_THROWS_WITH(RunLock(folder / "lock", quick), Contains("lock: is a symbolic link"));
  CHECK(core::read_file(theirs) == "text");
}

TEST_CASE("signs of life are written") {
  test::TemporaryFolder folder;
  const RunLock lock(folder / "lock", quick);
  const auto beat_of = [&] {
    return lock_holder_from(core::read_json(folder / "lock")).beat_seconds;
  };
  const auto first = beat_of();
  for (int i = 0; i < 300 && beat_of() == first; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  CHECK(beat_of() > first);
}

TEST_CASE("who was taken over from ends at once") {
  test::TemporaryFolder folder;
  const auto file = folder / "lock";
  const pid_t child = ::fork();
  if (child == 0) {
    const RunLock lock(file, quick);
    write(file, elsewhere(0));
    std::this_thread::sleep_for(std::chrono::seconds(20));
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(WEXITSTATUS(status) == 1);
  CHECK_THAT(core::read_file(file), Contains("node3"));
}

TEST_CASE("a lock that names nobody is free; a folder that is not there is an error") {
  test::TemporaryFolder folder;
  CHECK_NOTHROW(RunLock(folder.write("lock", "process 7 on node3\n"), quick));
  CHECK_THROWS_AS(RunLock(folder / "none/lock", quick), core::SystemError);
}
