// run: all stages in order.
#pragma once

#include "runtime/stage_context.hpp"
#include "stages/shared/options/options.hpp"

namespace knnseq::stages {

/// Looks at everything that they need (check_run()), then runs all stages of the table that are
/// part of it (partition … evaluate), each skipped if it is done or not in the config, then the
/// table of what they took. Collective.
void run(runtime::StageContext& context, const Options& options);

/// The commands that run stands for, in order, as in "partition" and "decode test-knn".
std::vector<std::string> commands(const Options& options);

}  // namespace knnseq::stages
