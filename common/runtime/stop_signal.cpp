#include "runtime/stop_signal.hpp"

#include <csignal>

#include <pthread.h>

namespace knnseq::runtime {

namespace {

sigset_t stop_signal() {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGUSR1);
  return signals;
}

}  // namespace

void hold_stop_signal() {
  const sigset_t signals = stop_signal();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

bool stop_requested() {
  sigset_t pending;
  return ::sigpending(&pending) == 0 && ::sigismember(&pending, SIGUSR1) == 1;
}

}  // namespace knnseq::runtime
