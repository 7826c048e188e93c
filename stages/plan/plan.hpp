// The stage `plan`: what a run will take of disk, memory and time, before it begins.
#pragma once

#include "runtime/stage_context.hpp"
#include "stages/shared/options/options.hpp"

namespace knnseq::stages {

/// Counts the config's text (or takes plan.entries), and prints for every stage the bytes on disk,
/// the memory of a rank and of a node, and, if there are rates, the time on plan.ranks ranks of
/// plan.nodes nodes; then what it would choose. With plan.measure it takes the rates here, and
/// keeps them in that file. Writes nothing else. Throws core::InputError. Collective.
void plan(runtime::StageContext& context, const Options& options);

}  // namespace knnseq::stages
