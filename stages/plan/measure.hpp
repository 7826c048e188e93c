// A short run of the stages, for their rates.
#pragma once

#include "runtime/stage_context.hpp"
#include "stages/plan/rates.hpp"

namespace knnseq::stages {

/// Runs partition, encode, train, add and the items of decode over the first lines of the config's
/// texts (plan.lines, or as many more as give the index type the vectors that it needs to be
/// trained), in a run directory of its own beside plan.measure, which is removed in the end, and
/// returns their rates. Subsets and more datastores than its own are left out. Throws as the stages
/// do. Collective.
Rates measure_rates(runtime::StageContext& context, const Options& options, const Needs& needs);

}  // namespace knnseq::stages
