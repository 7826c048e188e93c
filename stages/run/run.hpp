// run: all stages in order.
#pragma once

#include "runtime/stage_context.hpp"
#include "stages/shared/options/options.hpp"

namespace knnseq::stages {

/// partition, encode, train, add, append, subset, decode and evaluate, each skipped where it is
/// done or not in the config, then the table of the stages. Collective.
void run(runtime::StageContext& context, const Options& options);

/// The commands that run stands for, in order, as in "partition" and "decode test-knn".
std::vector<std::string> commands(const Options& options);

/// Names of the stages' records, in order.
std::vector<std::string> recorded_stages(const Options& options);

}  // namespace knnseq::stages
