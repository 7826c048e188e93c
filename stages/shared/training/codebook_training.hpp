// Training of a codebook in a stage's folder.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "index/core/index_spec.hpp"
#include "index/faiss_io/codebook.hpp"
#include "index/sample/sample_blocks.hpp"
#include "index/train/train_options.hpp"
#include "runtime/stage_context.hpp"
#include "runtime/stage_runner.hpp"

namespace knnseq::stages {

/// What is trained, and how.
struct CodebookTask {
  index::IndexSpec spec;
  index::TrainOptions options;
  std::int64_t sample = 0;                      ///< rows, of all ranks
  std::string sample_key = "datastore.sample";  ///< the config's key for it
  std::int64_t value_bytes = 2;                 ///< of a number of the sample
};

/// Throws core::InputError on all ranks if the training would not fit the memory of a rank's
/// GPU, saying what would; nothing on CPUs. Collective.
void require_device_memory(runtime::StageContext& context, const CodebookTask& task);

/// index::train_codebook() on the devices where the ranks are placed. Collective.
index::Codebook train_on_devices(runtime::StageContext& context, const CodebookTask& task,
                                 index::SampleBlocks sample,
                                 const index::CheckpointHooks& hooks = {});

/// Requires the memory, reads the sample, trains and writes `folder`/codebook.faiss; its state is
/// saved from time to time, and training resumes where an earlier run stopped. The outcome says
/// factory, lists, checksum and size of the sample. Throws core::InputError as
/// require_device_memory() and index::train_codebook() do, and core::Stopped on all ranks after a
/// stop signal. Collective.
runtime::StageOutcome train_in_folder(runtime::StageContext& context,
                                      const std::filesystem::path& folder, const CodebookTask& task,
                                      const std::function<index::SampleBlocks()>& read_sample);

/// Names of all that it writes, for runtime::StageDefinition::files.
std::vector<std::string> training_files();

/// Removes the saved state; to be called when the stage's manifest exists. Collective.
void remove_checkpoint(runtime::StageContext& context, const std::filesystem::path& folder);

}  // namespace knnseq::stages
