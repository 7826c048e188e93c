// What the stages share: what they take as inputs.
#pragma once

#include <filesystem>

#include "core/files.hpp"
#include "runtime/stage_context.hpp"
#include "stages/shared/options/corpus_paths.hpp"
#include "stages/shared/options/options.hpp"

namespace knnseq::stages {

/// Stamps of input files: rank 0 reads them (or takes over what `run_dir`/stamps.json knows of
/// unchanged ones) and all ranks get [[file name, fingerprint] …]. Paths and times are left out,
/// since a moved or touched file is still the same input. Whether the files stay the same until the
/// stage has read them is for it to ask (runtime::require_unchanged_inputs). Collective.
core::Json fingerprint_files(runtime::StageContext& context,
                             const std::vector<std::filesystem::path>& files);

/// A step that was finished earlier: where it stands, what it is called, which command makes it.
struct StageRef {
  std::filesystem::path folder;
  std::string stage;
  std::string command;
};

/// Its manifest, or an error that says which command is missing. Collective.
core::Json manifest_of(runtime::StageContext& context, const StageRef& step);

/// The step that trains the codebook of a corpus.
StageRef codebook_step(const CorpusPaths& place);

/// The manifest of an earlier stage (partition, encode, train, add or measure), or an error that
/// says which command is missing. Collective.
core::Json manifest_of(runtime::StageContext& context, const CorpusPaths& place,
                       const std::string& stage);

/// The manifest of partition. Throws core::InputError (on all ranks) where the corpus was dealt to
/// another number of shards than the config says. Collective.
core::Json corpus_manifest(runtime::StageContext& context, const Options& options,
                           const CorpusPaths& place);
/// The same of the first corpus.
core::Json corpus_manifest(runtime::StageContext& context, const Options& options);

/// Throws core::InputError where `manifest` (made by `command`) was not made from what stands in
/// `input` now: the earlier stage has been made again since. Call it inside comm::agree.
void require_made_from(const core::Json& manifest, const std::string& name, const core::Json& input,
                       const std::string& command);

/// Whether the datastore of this manifest (of encode) holds all keys.
bool stores_keys(const core::Json& datastore);

/// Throws core::InputError where it does not, saying that `command` needs them. Call it inside
/// comm::agree.
void require_keys(const core::Json& datastore, const std::string& command);

/// What the wanted sample of a datastore is, by name: inputs of the stages that use one.
core::Json sample_inputs(const SampleSpec& sample);

/// All options of training that change a codebook, by name: inputs of the stages that train.
core::Json training_inputs(const index::TrainOptions& training);

}  // namespace knnseq::stages
