// Stage encode: every target token becomes an entry of the datastore.
#pragma once

#include "runtime/stage_context.hpp"
#include "stages/shared/options/corpus_paths.hpp"

namespace knnseq::stages {

/// Teacher-forces the corpus batch by batch and writes datastore/shard-*.h5: keys, values, sentence
/// keys, and a separate copy of the rows of the config's training sample, so that train need not
/// search for them. With datastore.store: none it makes only those batches that hold rows of the
/// sample, and writes no other keys. Interrupted work resumes at the unit it had reached, with any
/// number of ranks and the sample that it was begun with. Collective.
void encode(runtime::StageContext& context, const Options& options, const CorpusPaths& paths);

}  // namespace knnseq::stages
