// The sentence index: trained and filled like the datastore's.
#pragma once

#include "stages/shared/search/built_subset.hpp"

namespace knnseq::stages {

/// Trains subset.index on a sample of the sentences and adds all of them; ids are sentence ids
/// (retrieval::pack_sentence_id). Collective.
void index_sentences(runtime::StageContext& context, const Options& options,
                     const SentenceVectors& vectors);

}  // namespace knnseq::stages
