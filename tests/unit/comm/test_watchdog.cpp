#include <chrono>
#include <string>
#include <thread>

#include <catch2/catch.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include "comm/watchdog.hpp"

using namespace knnseq;
using comm::Watchdog;

namespace {

struct Ending {
  int status = 0;  ///< of waitpid
  std::string text;
};

/// How a separate process ends if it waits in one call for longer than its deadline.
Ending ending_of_one_that_waits(double timeout_seconds, std::chrono::milliseconds waits) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const auto child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::dup2(ends[1], STDERR_FILENO);
    ::close(ends[0]);
    ::close(ends[1]);
    Watchdog watchdog(timeout_seconds, "r3 on node7");
    const Watchdog::Guard guard(watchdog, "MPI_Barrier");
    std::this_thread::sleep_for(waits);
    ::_exit(0);
  }
  ::close(ends[1]);
  Ending ending;
  char block[512];
  for (ssize_t count = 0; (count = ::read(ends[0], block, sizeof block)) > 0;) {
    ending.text.append(block, count);
  }
  ::close(ends[0]);
  REQUIRE(::waitpid(child, &ending.status, 0) == child);
  return ending;
}

}  // namespace

TEST_CASE("a call that outlives its deadline ends the process, and is named") {
  const auto ending = ending_of_one_that_waits(0.2, std::chrono::minutes(1));
  REQUIRE(WIFEXITED(ending.status));
  CHECK(WEXITSTATUS(ending.status) == 1);
  CHECK_THAT(ending.text, Catch::Contains("knnseq: r3 on node7: MPI_Barrier has waited"));
}

TEST_CASE("without a timeout nothing is watched") {
  const auto ending = ending_of_one_that_waits(0, std::chrono::milliseconds(1500));
  REQUIRE(WIFEXITED(ending.status));
  CHECK(WEXITSTATUS(ending.status) == 0);
  CHECK(ending.text.empty());
}

TEST_CASE("calls come and go while the watchdog looks") {
  Watchdog watchdog(60, "r0 on node1");
  int calls = 0;
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(2500);
  while (std::chrono::steady_clock::now() < end) {
    const Watchdog::Guard guard(watchdog, "MPI_Allreduce");
    ++calls;
  }
  CHECK(calls > 0);
}
