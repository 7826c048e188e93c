#include "comm/watchdog.hpp"

#include <chrono>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "obs/terminal.hpp"

namespace knnseq::comm {

Watchdog::Watchdog(double timeout_seconds, std::string who, std::string setting)
    : timeout_seconds_(timeout_seconds), who_(std::move(who)), setting_(std::move(setting)) {
  if (timeout_seconds_ > 0) thread_ = std::thread([this] { watch(); });
}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Watchdog::arm(const char* call) {
  if (timeout_seconds_ <= 0) return;
  const std::lock_guard lock(mutex_);
  call_ = call;
  ++epoch_;
}

void Watchdog::watch() {
  // Looks once a second, so that arming a deadline costs a lock and no wake-up.
  using Clock = std::chrono::steady_clock;
  std::unique_lock lock(mutex_);
  std::uint64_t seen = epoch_;
  auto since = Clock::now();
  while (!ending_) {
    changed_.wait_for(lock, std::chrono::seconds(1));
    if (epoch_ != seen || call_ == nullptr) {
      seen = epoch_;
      since = Clock::now();
    } else if (std::chrono::duration<double>(Clock::now() - since).count() > timeout_seconds_) {
      obs::say(fmt::format(
          "knnseq: {}: {} has waited {:.0f} s for the other ranks: one of them is gone or "
          "unreachable ({}); ending",
          who_, call_, timeout_seconds_, setting_));
      ::_exit(1);
    }
  }
}

}  // namespace knnseq::comm
