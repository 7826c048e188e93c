// Time and memory of this process.
#pragma once

#include <chrono>
#include <cstdint>

namespace knnseq::obs {

/// Peak resident memory in bytes since the start or the last reset_peak_memory().
std::int64_t peak_memory_bytes();
/// Makes the peak start again from the present use (Linux: writes to /proc/self/clear_refs; if
/// that is not allowed the peak stays that of the whole process).
void reset_peak_memory();

/// Memory of this node that can be had without swapping, in bytes; with a limit for this process's
/// control group (of a job or container), what is left of that, if it is less.
std::int64_t available_memory_bytes();

/// Wall-clock seconds since it was made.
class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
  }

 private:
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

}  // namespace knnseq::obs
