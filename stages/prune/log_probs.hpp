// What the model gives each token of the corpus, for datastores that were made without it.
#pragma once

#include "runtime/stage_context.hpp"
#include "stages/shared/inputs/manifests.hpp"
#include "stages/shared/options/corpus_paths.hpp"

namespace knnseq::stages {

/// Teacher-forces the corpus once more: pruned/log-probs/shard-*.h5 holds `log_probs`, fp16
/// [entries]. Collective.
void make_log_probs(runtime::StageContext& context, const Options& options,
                    const CorpusPaths& paths, const CorpusManifest& corpus);

}  // namespace knnseq::stages
