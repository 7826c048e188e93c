// SIGUSR1 waits until it is asked for.
#include <csignal>

#include <catch2/catch.hpp>
#include <unistd.h>

#include "runtime/stop_signal.hpp"

using namespace knnseq;

TEST_CASE("the stop signal interrupts nothing, and is seen by whoever asks, as often as they ask") {
  runtime::hold_stop_signal();
  REQUIRE_FALSE(runtime::stop_requested());
  REQUIRE(::kill(::getpid(), SIGUSR1) == 0);  // whose default action is to end the process
  CHECK(runtime::stop_requested());
  CHECK(runtime::stop_requested());
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGUSR1);
  int taken = 0;
  REQUIRE(::sigwait(&signals, &taken) == 0);
  CHECK_FALSE(runtime::stop_requested());
}
