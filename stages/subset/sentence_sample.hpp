// The sentences that train the sentence index.
#pragma once

#include "stages/shared/sample/sample_rows.hpp"
#include "stages/shared/search/built_subset.hpp"

namespace knnseq::stages {

/// The sentences of a corpus and where their vectors are.
struct SentenceSource {
  const Options& options;
  const CorpusManifest& corpus;
  const VectorSource& vectors;
};

/// Vectors of those sentences whose numbers belong to the sample (SampleRule over the sentences),
/// each read by one rank. Throws core::InputError (on all ranks) if a file is damaged.
/// Collective.
SampleRows read_sentence_sample(runtime::StageContext& context, const SentenceSource& source,
                                const SampleSpec& sample);

}  // namespace knnseq::stages
