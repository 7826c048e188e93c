#include "stages/encode/encode_report.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "stages/shared/shards/unit_report.hpp"

namespace knnseq::stages {

core::Json report_encoding(runtime::StageContext& context, const runtime::UnitSeconds& units,
                           const EncodingCost& cost) {
  UnitReport report = report_units(context, units, {cost.seconds, 0});
  if (context.placement.device.cuda) {
    auto& comm = context.comm;
    const auto tokens = static_cast<double>(comm.all_reduce(cost.tokens, comm::Reduction::sum));
    const auto places = static_cast<double>(comm.all_reduce(cost.places, comm::Reduction::sum));
    const double padding = 1.0 - tokens / std::max(places, 1.0);
    report.record["padding_share"] = padding;
    report.text += fmt::format(", padding {:.1f} %", 100 * padding);
  }
  context.log.info(report.text);
  return report.record;
}

}  // namespace knnseq::stages
