// inspect: why kNN chose another token than the model alone.
#pragma once

#include "runtime/stage_context.hpp"
#include "stages/shared/options/options.hpp"

namespace knnseq::stages {

/// Prints one test sentence of two finished decodings (inspect.base and inspect.knn): source,
/// reference, both outputs, and, for the token at which they first differ or the one that is asked
/// for, the nearest neighbours with their distance, probability and the datastore sentence they
/// come from; or all of it as JSON; or, with inspect.html, all test sentences as a page. The
/// settings are those that inspect.knn was made with; throws core::InputError (on all ranks) naming
/// what else was asked for. Collective.
void inspect(runtime::StageContext& context, const Options& options);

}  // namespace knnseq::stages
