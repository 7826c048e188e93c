// How a search on a device is split up.
#pragma once

#include <cstdint>

#include "gpu/ivfpq_scan.hpp"
#include "gpu/scan_launcher.hpp"

namespace knnseq::gpu {

/// What a plan depends on.
struct ScanSize {
  std::int64_t padded_m = 0;
  std::int64_t queries = 0;
  std::int64_t nprobe = 0;
  std::int64_t k = 0;
  double entries_per_query = 0;  ///< expected in the probed lists
  bool half_tables = true;
};

/// Throws core::InputError if k is more than most_scan_k, or if the device's shared memory
/// does not hold the tables.
ScanPlan plan_scan(const ScanLauncher& launcher, const ScanSize& size);

}  // namespace knnseq::gpu
