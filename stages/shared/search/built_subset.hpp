// What stage subset has built, for those that search in it.
#pragma once

#include <filesystem>

#include "runtime/stage_context.hpp"
#include "stages/shared/inputs/stage.hpp"
#include "stages/shared/shards/built_datastore.hpp"
#include "stages/shared/shards/shard_coder.hpp"

namespace knnseq::stages {

/// The steps of stage subset, each with a folder of its own.
struct SubsetSteps {
  explicit SubsetSteps(const std::filesystem::path& run_dir);
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
SentenceVectors find_sentence_vectors(runtime::StageContext& context, const Options& options);

struct BuiltSubset {
  BuiltCorpus corpus;            ///< the first one, without an index
  CodesManifest codes;           ///< of its entries
  CodesManifest sentence_index;  ///< empty if similar sentences are found by pieces
};

/// Reads and compares manifests. Throws core::InputError (on all ranks), naming the command, if
/// something is missing or was made from other inputs than the present ones, or if subsets cannot
/// be used with the config's corpora or settings. Collective.
BuiltSubset read_subset(runtime::StageContext& context, const Options& options);

/// Throws core::InputError for configs with appended corpora, which subsets leave out.
void refuse_appended(const Options& options);

}  // namespace knnseq::stages
