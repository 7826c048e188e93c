// What the stages share: their folders, and what they take as inputs.
#pragma once

#include <filesystem>

#include "core/files.hpp"
#include "runtime/stage_context.hpp"
#include "stages/options.hpp"

namespace knnseq::stages {

/// Folders of the run directory, each made by one stage.
struct Folders {
  explicit Folders(const std::filesystem::path& run_dir)
      : corpus(run_dir / "corpus"),
        datastore(run_dir / "datastore"),
        codebook(run_dir / "codebook"),
        index(run_dir / "index"),
        decode(run_dir / "decode"),
        evaluate(run_dir / "evaluate"),
        sweep(run_dir / "sweep") {}
  std::filesystem::path corpus, datastore, codebook, index, decode, evaluate, sweep;
};

/// Stamps of input files: rank 0 reads them (or takes over what `run_dir`/stamps.json knows of
/// unchanged ones) and all ranks get [[file name, fingerprint] …]. Paths and times are left out,
/// since a moved or touched file is still the same input. Collective.
core::Json fingerprint_files(runtime::StageContext& context,
                             const std::vector<std::filesystem::path>& files);

/// The manifest of an earlier stage, or an error that says which command is missing.
/// Collective.
core::Json manifest_of(runtime::StageContext& context, const std::filesystem::path& folder,
                       const std::string& stage);

/// The manifest of partition. Throws core::InputError (on all ranks) where the corpus was dealt to
/// another number of shards than the config says. Collective.
core::Json corpus_manifest(runtime::StageContext& context, const Options& options);

/// Throws core::InputError where `manifest` (of stage `stage`) was not made from what stands in
/// `input` now: the earlier stage has been made again since. Call it inside comm::agree.
void require_made_from(const core::Json& manifest, const std::string& name, const core::Json& input,
                       const std::string& stage);

/// All options of training that change a codebook, by name: inputs of the stages that train.
core::Json training_inputs(const index::TrainOptions& training);

}  // namespace knnseq::stages
