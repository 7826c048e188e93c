// Training of a codebook in a stage's folder.
#pragma once

#include <filesystem>

#include "index/index_spec.hpp"
#include "index/sample_blocks.hpp"
#include "index/train_options.hpp"
#include "runtime/stage_context.hpp"
#include "runtime/stage_runner.hpp"

namespace knnseq::stages {

/// What is trained, how, and where.
struct CodebookTraining {
  std::filesystem::path folder;
  index::IndexSpec spec;
  index::TrainOptions options;
};

/// Trains on the sample and writes `folder`/codebook.faiss; its state is saved from time to time,
/// and training goes on where an earlier run stopped. The outcome says factory, lists, checksum and
/// size of the sample. Throws core::InputError as index::train_codebook() does, and core::Stopped
/// on all ranks after a stop signal. Collective.
runtime::StageOutcome train_in_folder(runtime::StageContext& context,
                                      const CodebookTraining& training, index::SampleBlocks sample);

/// Removes the saved state; to be called when the stage's manifest is there. Collective.
void remove_checkpoint(runtime::StageContext& context, const std::filesystem::path& folder);

}  // namespace knnseq::stages
