#include "runtime/stop_signal.hpp"

#include <atomic>
#include <csignal>

namespace knnseq::runtime {

namespace {
// Threads beside the main one ask too, so this is an atomic; a signal handler may touch one without
// a lock.
std::atomic<bool> requested = false;
static_assert(std::atomic<bool>::is_always_lock_free);
}  // namespace

void install_stop_signal() {
  std::signal(SIGUSR1, [](int) { requested = true; });
}

bool stop_requested() { return requested; }

}  // namespace knnseq::runtime
