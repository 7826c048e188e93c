#include "stages/shared/shards/unit_report.hpp"

#include <algorithm>
#include <span>

#include <fmt/format.h>

#include "gpu/device_memory.hpp"
#include "obs/progress_meter.hpp"

namespace knnseq::stages {

UnitReport report_units(runtime::StageContext& context, const runtime::UnitSeconds& units,
                        const UnitCost& cost) {
  auto& comm = context.comm;
  const auto mean = [&](double seconds) {
    return comm.all_reduce(seconds, comm::Reduction::sum) / comm.size();
  };
  // The main thread waits or writes all the time; the device computes, or waits for the disk.
  const double waiting = mean(units.waiting);
  const double writing = mean(units.writing);
  const double computing = mean(cost.computing);
  const double reading = mean(cost.reading);
  const double idle = mean(std::max(0.0, units.waiting + units.writing - cost.computing));
  const bool disk = writing > waiting || reading > computing;
  UnitReport report;
  report.record = {{"computing_seconds", computing},
                   {"waiting_for_disk_seconds", idle},
                   {"reading_seconds", reading},
                   {"writing_seconds", writing},
                   {"limit", disk ? "disk" : "computing"}};
  report.text = fmt::format("seconds a rank: {:.1f} computing, {:.1f} waiting for the disk, ",
                            computing, idle);
  if (reading > 0) report.text += fmt::format("{:.1f} reading, ", reading);
  report.text += fmt::format("{:.1f} writing beside it; the limit was {}", writing,
                             disk ? "the disk" : "computing");
  const auto all = comm.all_gather(std::span<const double>(&cost.computing, 1)).values;
  const auto slowest = std::ranges::max_element(all);
  report.record.update({{"slowest_rank", slowest - all.begin()},
                        {"slowest_seconds", *slowest},
                        {"mean_seconds", computing}});
  if (!context.placement.device.cuda) return report;
  const double busy = computing / std::max(waiting + writing, 1e-9);
  const auto memory =
      comm.all_reduce(gpu::peak_device_bytes(context.placement.device.index), comm::Reduction::max);
  report.record["gpu_busy_share"] = busy;
  report.record["peak_device_memory_max_bytes"] = memory;
  report.text += fmt::format("; GPU busy {:.1f} %, at most {} of its memory", 100 * busy,
                             obs::as_bytes(memory));
  return report;
}

}  // namespace knnseq::stages
