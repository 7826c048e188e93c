// The sentence index: trained and filled like the datastore's.
#pragma once

#include "stages/shared/search/built_subset.hpp"

namespace knnseq::stages {

/// Adds all sentences of a corpus to an index of its own; ids are sentence ids
/// (retrieval::pack_sentence_id), numbered from first_sentence on. Before, subset.index is trained
/// on a sample of the first corpus's sentences. Collective.
void index_sentences(runtime::StageContext& context, const Options& options,
                     const CorpusPaths& paths, std::int64_t first_sentence);

}  // namespace knnseq::stages
