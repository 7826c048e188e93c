#include "gpu/scan_plan.hpp"

#include <algorithm>
#include <bit>

#include <fmt/format.h>

#include "core/error.hpp"

namespace knnseq::gpu {

namespace {

/// Blocks per multiprocessor that a device should have to work on: several times as many as run at
/// once, so that a partly filled last round costs little.
constexpr std::int64_t blocks_per_multiprocessor = 16;
/// A block copies a table and sorts candidates: it should scan at least this many entries.
constexpr double least_entries_per_block = 4096;

}  // namespace

ScanPlan plan_scan(const ScanLauncher& launcher, const ScanSize& size) {
  if (size.k > most_scan_k) {
    throw core::InputError(fmt::format(
        "{} neighbours are asked for; a GPU finds at most {} (device: cpu finds any number)",
        size.k, most_scan_k));
  }
  ScanPlan plan;
  plan.k = size.k;
  plan.kept = size.k + std::max<std::int64_t>(32, size.k / 4);
  plan.capacity = static_cast<std::int64_t>(
      std::bit_ceil(static_cast<std::uint64_t>(plan.kept + scan_threads)));
  plan.half_tables = size.half_tables;
  const std::int64_t enough = launcher.multiprocessors() * blocks_per_multiprocessor /
                              std::max<std::int64_t>(size.queries, 1);
  const auto useful = static_cast<std::int64_t>(size.entries_per_query / least_entries_per_block);
  plan.splits = std::clamp<std::int64_t>(std::min(enough, useful), 1, 256);
  const std::int64_t needed = scan_shared_bytes(size.padded_m, size.nprobe, plan);
  if (needed > launcher.shared_bytes()) {
    throw core::InputError(fmt::format(
        "searching codes of {} bytes with nprobe {} needs {} bytes of shared memory, and this GPU "
        "has {}: use fewer bytes a code{}, or device: cpu",
        size.padded_m, size.nprobe, needed, launcher.shared_bytes(),
        size.half_tables ? "" : ", or tables in half precision"));
  }
  return plan;
}

}  // namespace knnseq::gpu
