// inspect: why kNN chose another token than the model alone.
#pragma once

#include "runtime/stage_context.hpp"
#include "stages/shared/options/options.hpp"

namespace knnseq::stages {

/// Prints one test sentence of two finished decodings (inspect.base and inspect.knn): source,
/// reference, both outputs, and, for the token at which they first differ, the nearest neighbours
/// with their distance, probability and the datastore sentence they come from. Collective.
void inspect(runtime::StageContext& context, const Options& options);

}  // namespace knnseq::stages
