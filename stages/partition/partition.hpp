// Stage partition: text becomes token sequences, cut into batches and distributed over the shards.
#pragma once

#include "index/core/index_spec.hpp"
#include "runtime/stage_context.hpp"
#include "stages/shared/options/corpus_paths.hpp"

namespace knnseq::stages {

/// Reads the corpus files and writes corpus/shard-*.h5, dropped.tsv and a manifest with the counts
/// every later stage plans with. Collective.
void partition(runtime::StageContext& context, const Options& options, const CorpusPaths& paths);

/// Throws core::InputError if the codebook could not be trained on a datastore of so few entries.
void require_sample(const Options& options, const index::IndexSpec& spec, std::int64_t entries);

}  // namespace knnseq::stages
