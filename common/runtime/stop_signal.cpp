#include "runtime/stop_signal.hpp"

#include <csignal>
#include <initializer_list>

#include <pthread.h>

namespace knnseq::runtime {

namespace {

void hold(std::initializer_list<int> numbers) {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int number : numbers) ::sigaddset(&signals, number);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

bool is_pending(int number) {
  sigset_t pending;
  return ::sigpending(&pending) == 0 && ::sigismember(&pending, number) == 1;
}

}  // namespace

void hold_stop_signal() { hold({SIGUSR1}); }

bool stop_requested() { return is_pending(SIGUSR1); }

void hold_end_signals() { hold({SIGTERM, SIGINT}); }

bool end_requested() { return is_pending(SIGTERM) || is_pending(SIGINT); }

}  // namespace knnseq::runtime
