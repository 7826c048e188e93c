// Ends this process when an MPI call outlives its deadline.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace knnseq::comm {

/// A thread that watches one deadline at a time. An MPI call whose peer is cut off may never
/// return, and nothing else can then end the rank; the watchdog prints one line and calls _exit(1).
class Watchdog {
 public:
  /// timeout_seconds 0: no watching. The message names `who` (this rank) and `setting` (the key).
  Watchdog(double timeout_seconds, std::string who,
           std::string setting = "timeout_seconds in the config");
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  /// Sets the deadline while it lives; guards do not nest. `call` must outlive the guard.
  class Guard {
   public:
    Guard(Watchdog& watchdog, const char* call) : Guard(&watchdog, call) {}
    /// With nullptr it watches nothing.
    Guard(Watchdog* watchdog, const char* call) : watchdog_(watchdog) {
      if (watchdog_ != nullptr) watchdog_->arm(call);
    }
    ~Guard() {
      if (watchdog_ != nullptr) watchdog_->arm(nullptr);
    }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

   private:
    Watchdog* watchdog_;
  };

 private:
  void arm(const char* call);
  void watch();

  double timeout_seconds_;
  std::string who_;
  std::string setting_;
  std::mutex mutex_;
  std::condition_variable changed_;
  const char* call_ = nullptr;
  std::uint64_t epoch_ = 0;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace knnseq::comm
