// Stage prune: the index without the entries that it can do without.
#pragma once

#include "runtime/stage_context.hpp"
#include "stages/shared/options/corpus_paths.hpp"

namespace knnseq::stages {

/// Makes pruned/index/ of index/, as datastore.prune says; where encode has not stored what the
/// model gives each token and datastore.prune.probability needs it, pruned/log-probs/ first. The
/// same for any number of ranks and shards. Interrupted work goes on at the shard (of log-probs:
/// at the unit) it was at. Throws core::InputError if datastore.prune is off, or says to compare
/// entries of lists where there are none. Collective.
void prune(runtime::StageContext& context, const Options& options, const CorpusPaths& paths);

/// Translates tune.source with the whole index and with the pruned one, and prints BLEU and chrF of
/// both. Collective.
void measure_pruning(runtime::StageContext& context, const Options& options);

}  // namespace knnseq::stages
