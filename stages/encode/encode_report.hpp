// Where the time of encode went.
#pragma once

#include "runtime/shard_jobs.hpp"
#include "runtime/stage_context.hpp"
#include "stages/encode/shard_encoder.hpp"

namespace knnseq::stages {

/// Logs what the ranks spent on average and which of computing and the disk was the limit; on GPUs
/// also how busy they were, how much memory the fullest took and how much of the attention was
/// padding. Returns the same for the stage's record. Collective.
core::Json report_encoding(runtime::StageContext& context, const runtime::UnitSeconds& units,
                           const EncodingCost& cost);

}  // namespace knnseq::stages
