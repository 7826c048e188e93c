// Where the time of encode went.
#pragma once

#include "runtime/shard_jobs.hpp"
#include "runtime/stage_context.hpp"
#include "stages/encode/shard_encoder.hpp"

namespace knnseq::stages {

/// Logs report_units() and, on GPUs, how much of the attention was padding. Returns the same for
/// the stage's record. Collective.
core::Json report_encoding(runtime::StageContext& context, const runtime::UnitSeconds& units,
                           const EncodingCost& cost);

}  // namespace knnseq::stages
