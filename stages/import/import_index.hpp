// What train and add make of keys, of a faiss index that is there.
#pragma once

#include "runtime/stage_context.hpp"
#include "stages/import/import_corpus.hpp"

namespace knnseq::stages {

/// Makes codebook/ and index/ of import.index: the codes, lists and centroids of the file, and the
/// graph over its lists if it has one. Throws core::InputError (on all ranks) if the index is not
/// that of the config, does not hold each entry once, or is not of these keys: of 256 keys all but
/// a few must be nearer to their own code than to those of the others. Collective.
void import_index(runtime::StageContext& context, const Options& options, const Origin& origin);

}  // namespace knnseq::stages
