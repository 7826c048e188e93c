// Rate and time left, from counts that trickle in.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace knnseq::obs {

/// Turns "done of total" into a line such as "310,000 of 946,541 entries (33 %), 15,210/s, 42 s
/// left".
class ProgressMeter {
 public:
  ProgressMeter(std::string unit, std::int64_t total);

  void add(std::int64_t items) { done_ += items; }
  /// Items that an earlier run had finished; they count as done but not for the rate.
  void skip(std::int64_t items) { skipped_ += items; }
  std::int64_t done() const { return done_ + skipped_; }
  /// True at most every `interval_seconds`.
  bool due(double interval_seconds);
  std::string line() const;

 private:
  using Clock = std::chrono::steady_clock;
  std::string unit_;
  std::int64_t total_;
  std::int64_t done_ = 0;
  std::int64_t skipped_ = 0;
  Clock::time_point began_ = Clock::now();
  Clock::time_point shown_ = Clock::now();
};

/// 1234567 → "1,234,567".
std::string with_commas(std::int64_t value);
/// 75 → "1 min 15 s".
std::string as_duration(double seconds);
/// 5368709120 → "5.0 GiB".
std::string as_bytes(std::int64_t bytes);

}  // namespace knnseq::obs
