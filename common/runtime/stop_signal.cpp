#include "runtime/stop_signal.hpp"

#include <csignal>

namespace knnseq::runtime {

namespace {
volatile std::sig_atomic_t requested = 0;  // the only state that a signal handler may touch
}

void install_stop_signal() {
  std::signal(SIGUSR1, [](int) { requested = 1; });
}

bool stop_requested() { return requested != 0; }

}  // namespace knnseq::runtime
