// What the stages share: what they take as inputs.
#pragma once

#include <filesystem>

#include "core/files.hpp"
#include "runtime/stage_context.hpp"
#include "stages/shared/inputs/manifests.hpp"
#include "stages/shared/options/corpus_paths.hpp"
#include "stages/shared/options/options.hpp"

namespace knnseq::stages {

/// Stamps of input files: rank 0 makes them (or reuses those of unchanged files in
/// `run_dir`/stamps.json) and all ranks get [[file name, fingerprint] …]. Paths and times are left
/// out, since a moved or touched file is still the same input. The stage itself must check that the
/// files stay the same until it has read them (runtime::require_unchanged_inputs). Collective.
core::Json fingerprint_files(runtime::StageContext& context,
                             const std::vector<std::filesystem::path>& files);

/// The manifest of partition. Throws core::InputError (on all ranks) if the corpus was
/// distributed to another number of shards than the config says. Collective.
CorpusManifest corpus_manifest(runtime::StageContext& context, const Options& options,
                               const CorpusPaths& paths);
/// The same for the first corpus.
CorpusManifest corpus_manifest(runtime::StageContext& context, const Options& options);

/// Which input a step was made from, for require_made_from().
struct MadeFrom {
  std::string name;      ///< of the input, as in "corpus"
  std::string identity;  ///< that the step's manifest keeps
  std::string command;   ///< that makes the step again
};

/// Throws core::InputError if a step was not made from the input of this identity, which stands
/// there now: the earlier stage has been made again since. Call it inside comm::agree.
void require_made_from(const MadeFrom& made_from, const std::string& now);

/// Throws core::InputError if the codebook was not trained on this datastore, or on what it was
/// before remove took entries out. Call it inside comm::agree.
void require_trained_on(const CodebookManifest& codebook, const DatastoreManifest& datastore);

/// Throws core::InputError if the datastore does not hold all keys, saying that `command` needs
/// them. Call it inside comm::agree.
void require_keys(const DatastoreManifest& datastore, const std::string& command);

/// Throws core::InputError if the datastore was imported, saying that `command` needs its text.
/// Call it inside comm::agree.
void require_text(const CorpusManifest& corpus, const std::string& command);

/// Throws core::InputError if the datastore was imported without what subset.encoder needs to find
/// similar sentences, saying what that is. Call it inside comm::agree.
void require_similar_sentences(const CorpusManifest& corpus, const DatastoreManifest& datastore,
                               const SubsetOptions& options);

/// What the wanted sample of a datastore is, by name: inputs of the stages that use one.
core::Json sample_inputs(const SampleSpec& sample);

/// All options of training that change a codebook, by name: inputs of the stages that train.
core::Json training_inputs(const index::TrainOptions& training);

}  // namespace knnseq::stages
