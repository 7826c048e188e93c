// Where the time of stages that compute units ahead went.
#pragma once

#include <string>

#include "core/files.hpp"
#include "runtime/shard_jobs.hpp"
#include "runtime/stage_context.hpp"

namespace knnseq::stages {

/// What the units of one rank cost beside its main thread.
struct UnitCost {
  double computing = 0;  ///< seconds in which the device worked
  double reading = 0;    ///< seconds in which the thread that computes read files
};

/// For the log and for the stage's record.
struct UnitReport {
  std::string text;
  core::Json record;
};

/// What the ranks spent on average and which of computing and the disk was the limit; on GPUs also
/// how busy they were and how much memory the fullest took. Collective.
UnitReport report_units(runtime::StageContext& context, const runtime::UnitSeconds& units,
                        const UnitCost& cost);

}  // namespace knnseq::stages
