// Stage sweep: which index, with which settings, on the user's own data.
#pragma once

#include "runtime/stage_context.hpp"
#include "stages/shared/options/options.hpp"

namespace knnseq::stages {

/// Measures, for every index and every share of the datastore in the config, recall against exact
/// search on held-out text, memory, time a query and time to build; prints a table and writes
/// sweep/sweep.csv, sweep.json and sweep.svg. Needs encode. What was measured is kept in a journal,
/// and a later run continues after it. Collective.
void sweep(runtime::StageContext& context, const Options& options);

}  // namespace knnseq::stages
