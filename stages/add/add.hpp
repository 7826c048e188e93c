// Stage add: every entry gets its list and its code; each shard becomes a faiss file.
#pragma once

#include "runtime/stage_context.hpp"
#include "stages/shared/options/corpus_paths.hpp"

namespace knnseq::stages {

/// Reads the keys of each shard in the units in which they were encoded, or with datastore.store:
/// none makes them, unit by unit; assigns and codes them, and writes index/shard-*.faiss, its
/// entries numbered from paths.first_entry on. Interrupted work goes on at the unit it was at.
/// Throws core::InputError if the numbers do not fit an id, or if keys that are made here would
/// differ from those that encode made for the sample. Collective.
void add(runtime::StageContext& context, const Options& options, const CorpusPaths& paths);

}  // namespace knnseq::stages
