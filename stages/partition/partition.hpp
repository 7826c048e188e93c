// Stage partition: text becomes token sequences, cut into batches and distributed over the shards.
#pragma once

#include "runtime/stage_context.hpp"
#include "stages/shared/options/corpus_paths.hpp"

namespace knnseq::stages {

/// Reads the corpus files and writes corpus/shard-*.h5, dropped.tsv and a manifest with the counts
/// every later stage plans with. Collective.
void partition(runtime::StageContext& context, const Options& options, const CorpusPaths& paths);

}  // namespace knnseq::stages
