// Stage add: every entry gets its list and its code; each shard becomes a faiss file.
#pragma once

#include "runtime/stage_context.hpp"
#include "stages/options.hpp"

namespace knnseq::stages {

/// Reads the keys of each shard in the units in which they were encoded, assigns and codes them,
/// and writes index/shard-*.faiss. Interrupted work goes on at the unit it was at. Collective.
void add(runtime::StageContext& context, const Options& options);

}  // namespace knnseq::stages
