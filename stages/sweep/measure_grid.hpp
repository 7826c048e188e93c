// The sweep's rows, one after another.
#pragma once

#include <string>
#include <vector>

#include "index/core/index_spec.hpp"
#include "runtime/stage_context.hpp"
#include "stages/shared/options/options.hpp"
#include "stages/sweep/own_keys.hpp"
#include "stages/sweep/sweep_row.hpp"

namespace knnseq::stages {

/// For every share in options.sweep and every index: trains it, fills it, searches it with every
/// setting. A row is committed to a journal when it is measured; those that an earlier run
/// committed are reused. What cannot be measured (too small a share for the index or for k) is
/// a row with a note. Throws core::Stopped on all ranks after a stop signal. Collective; every rank
/// gets all.
std::vector<SweepRow> measure_grid(runtime::StageContext& context, const Options& options,
                                   const std::vector<index::IndexSpec>& specs,
                                   const KeySource& keys);

/// Names of what it keeps in the stage's folder meanwhile, for runtime::StageDefinition::files.
std::vector<std::string> grid_files();

/// Removes the journal of a finished sweep. By one rank.
void remove_finished_rows(const std::filesystem::path& folder);

}  // namespace knnseq::stages
