// Progress of all ranks together, shown by rank 0.
#pragma once

#include <string>

#include "obs/progress_meter.hpp"
#include "runtime/stage_context.hpp"

namespace knnseq::runtime {

/// Ranks post what they have done to rank 0, which shows the sum whenever it comes by itself; nobody
/// waits for anybody before finish().
class Progress {
 public:
  /// total: items of all ranks.
  Progress(StageContext& context, const std::string& unit, std::int64_t total);

  /// This rank has done `items` more.
  void add(std::int64_t items);
  /// This rank found `items` done by an earlier run.
  void skip(std::int64_t items);
  /// Waits for all ranks, showing their progress meanwhile. Collective.
  void finish();

 private:
  void post(bool finished);
  void collect();
  void show(double interval_seconds);

  StageContext& context_;
  obs::ProgressMeter all_;
  obs::ProgressMeter mine_;
  std::int64_t unposted_ = 0;
  std::int64_t unposted_skips_ = 0;
  int ranks_finished_ = 0;
};

}  // namespace knnseq::runtime
