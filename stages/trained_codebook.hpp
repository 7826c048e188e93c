// The codebook that train has made.
#pragma once

#include "index/codebook.hpp"
#include "stages/corpus_place.hpp"

namespace knnseq::stages {

/// Reads the codebook of the run directory that the corpus belongs to, its bytes compared with its
/// manifest. Throws core::InputError. Not collective.
index::Codebook read_trained_codebook(const CorpusPlace& place);

}  // namespace knnseq::stages
