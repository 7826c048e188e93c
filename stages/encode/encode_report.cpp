#include "stages/encode/encode_report.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "gpu/device_memory.hpp"
#include "obs/progress_meter.hpp"

namespace knnseq::stages {

core::Json report_encoding(runtime::StageContext& context, const runtime::UnitSeconds& units,
                           const EncodingCost& cost) {
  auto& comm = context.comm;
  const auto mean = [&](double seconds) {
    return comm.all_reduce(seconds, comm::Reduction::sum) / comm.size();
  };
  // The main thread waits or writes all the time; the device computes, or waits for the disk.
  const double waiting = mean(units.waiting);
  const double writing = mean(units.writing);
  const double computing = mean(cost.seconds);
  const double idle = mean(std::max(0.0, units.waiting + units.writing - cost.seconds));
  const bool disk = writing > waiting;
  core::Json record = {{"computing_seconds", computing},
                       {"waiting_for_disk_seconds", idle},
                       {"writing_seconds", writing},
                       {"limit", disk ? "disk" : "computing"}};
  std::string text = fmt::format(
      "seconds a rank: {:.1f} computing, {:.1f} waiting for the disk, {:.1f} writing beside it; "
      "the limit was {}",
      computing, idle, writing, disk ? "the disk" : "computing");
  if (context.placement.device.cuda) {
    const auto tokens = static_cast<double>(comm.all_reduce(cost.tokens, comm::Reduction::sum));
    const auto places = static_cast<double>(comm.all_reduce(cost.places, comm::Reduction::sum));
    const double busy = computing / std::max(waiting + writing, 1e-9);
    const double padding = 1.0 - tokens / std::max(places, 1.0);
    const auto memory = comm.all_reduce(gpu::peak_device_bytes(context.placement.device.index),
                                        comm::Reduction::max);
    record["gpu_busy_share"] = busy;
    record["padding_share"] = padding;
    record["peak_device_memory_max_bytes"] = memory;
    text += fmt::format("; GPU busy {:.1f} %, at most {} of its memory, padding {:.1f} %",
                        100 * busy, obs::as_bytes(memory), 100 * padding);
  }
  context.log.info(text);
  return record;
}

}  // namespace knnseq::stages
