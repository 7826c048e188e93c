// Progress of all ranks together, shown by rank 0.
#pragma once

#include <string>

#include "obs/progress_meter.hpp"
#include "obs/resources.hpp"
#include "runtime/stage_context.hpp"

namespace knnseq::runtime {

/// Ranks post what they have done to rank 0, which shows the sum as it comes in. No rank waits for
/// another before finish(), which a rank may reach hours early: there rank 0 posts a sign of life
/// to the others from time to time, and silence longer than the time-out is an
/// error.
class Progress {
 public:
  /// total: items of all ranks. 0: nothing is shown, there are only signs of life.
  Progress(StageContext& context, const std::string& unit, std::int64_t total);

  /// This rank has done `items` more.
  void add(std::int64_t items);
  /// This rank found `items` done by an earlier run.
  void skip(std::int64_t items);
  /// Waits for all ranks, showing their progress meanwhile. Throws core::SystemError if they are
  /// silent for longer than context.timeout_seconds. Collective.
  void finish();

 private:
  void post(bool finished);
  void post_to_all(std::int64_t finished);
  void collect();
  void wait_as_root();
  void wait_for_root();
  void show(double interval_seconds);

  StageContext& context_;
  std::int64_t total_;
  obs::ProgressMeter all_;
  obs::ProgressMeter mine_;
  std::int64_t unposted_ = 0;
  std::int64_t unposted_skips_ = 0;
  int ranks_finished_ = 0;
  obs::Stopwatch since_heard_;  ///< from any other rank
  obs::Stopwatch since_sign_;   ///< rank 0 posted to the others
};

}  // namespace knnseq::runtime
