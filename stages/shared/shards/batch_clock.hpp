// How long a device has worked on batches.
#pragma once

#include <utility>
#include <vector>

#include <c10/core/Device.h>
#include <c10/core/Event.h>

#include "obs/resources.hpp"

namespace knnseq::stages {

/// Seconds between begin() and end(), added up: on a GPU by events of the current stream, so that
/// the time in which it waits for the host between batches does not count.
class BatchClock {
 public:
  explicit BatchClock(c10::Device device) : device_(device) {}

  void begin();
  void end();

  /// Waits until the GPU has reached the last end().
  double seconds() const;

 private:
  c10::Device device_;
  double host_seconds_ = 0;
  obs::Stopwatch host_;
  std::vector<std::pair<c10::Event, c10::Event>> batches_;
};

}  // namespace knnseq::stages
