// What stage subset has built, for those that search in it.
#pragma once

#include <filesystem>

#include "runtime/stage_context.hpp"
#include "stages/shared/inputs/stage.hpp"
#include "stages/shared/shards/built_datastore.hpp"
#include "stages/shared/shards/shard_coder.hpp"

namespace knnseq::stages {

/// The steps of stage subset for one corpus, each with a folder of its own; those of appended
/// corpora lie in append/<name>/subset/, and have the codebooks of the first one.
struct SubsetSteps {
  explicit SubsetSteps(const CorpusPaths& paths);
  StageRef vectors;            ///< of sentences, by an encoder of their own
  StageRef sentence_codebook;  ///< of the sentence index
  StageRef sentence_index;
  StageRef codebook;  ///< of the entries' codes
  StageRef codes;
};

/// The vectors that the sentence index is made of.
struct SentenceVectors {
  VectorSource source;
  std::string identity;  ///< of the step that made them
  std::string corpus;    ///< identity of the corpus that they are of
  std::int64_t width = 0;
};

/// Those of the config's encoder, which must be one of vectors. Throws core::InputError (on all
/// ranks) if they are not there or another encoder's. Collective.
SentenceVectors find_sentence_vectors(runtime::StageContext& context, const Options& options,
                                      const CorpusPaths& paths);

/// The corpora that subsets are made of: the first and those of `append:`, with their first entries
/// and, in the second, the number of each one's first sentence over all of them. Collective; throws
/// core::InputError (on all ranks) if one is not partitioned.
struct SubsetCorpora {
  std::vector<CorpusPaths> paths;
  std::vector<std::int64_t> first_sentences;
};
SubsetCorpora find_subset_corpora(runtime::StageContext& context, const Options& options);

/// One corpus of a subset.
struct SubsetCorpus {
  BuiltCorpus built;             ///< without an index
  CodesManifest codes;           ///< of its entries
  CodesManifest sentence_index;  ///< empty if similar sentences are found by pieces
  std::int64_t first_sentence = 0;
};

struct BuiltSubset {
  std::vector<SubsetCorpus> corpora;  ///< those that are searched

  std::int64_t sentences() const;  ///< of these
  /// More than the number of any sentence, and of any entry.
  std::int64_t end_of_sentences() const;
  std::int64_t end_of_entries() const;
};

/// Reads and compares manifests. Throws core::InputError (on all ranks), naming the command, if
/// something is missing or was made from other inputs than the present ones, or if subsets cannot
/// be used with the config's settings. `corpora`: names of those that are searched; none: all.
/// Collective.
BuiltSubset read_subset(runtime::StageContext& context, const Options& options,
                        const std::vector<std::string>& corpora);

}  // namespace knnseq::stages
