// Vectors of the datastore's sentences, by an encoder of their own.
#pragma once

#include "runtime/stage_context.hpp"
#include "stages/shared/options/options.hpp"

namespace knnseq::stages {

/// Lets the TorchScript model of subset.model encode the source of every sentence, as the tokeniser
/// puts it together from its tokens: vectors/shard-*.h5 holds `sentence_vectors` [n, d] float16.
/// Batches are those of the corpus. Collective.
void encode_sentences(runtime::StageContext& context, const Options& options,
                      const CorpusPaths& paths);

}  // namespace knnseq::stages
