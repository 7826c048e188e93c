// How well the codebook fits an appended corpus.
#pragma once

#include "runtime/stage_context.hpp"
#include "stages/shared/shards/built_datastore.hpp"

namespace knnseq::stages {

/// Compares the quantisation error of the sample keys of the corpus of `paths` with that of the
/// training sample of `datastore`, prints both and warns if the first is much larger. The result
/// is kept in append/<name>/measure/manifest.json. Collective.
void measure(runtime::StageContext& context, const Options& options, const CorpusPaths& paths,
             const BuiltDatastore& datastore);

}  // namespace knnseq::stages
