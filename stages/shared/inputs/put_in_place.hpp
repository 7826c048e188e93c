// The switch from what a run directory held to what has been made to replace it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "stages/shared/inputs/removals.hpp"

namespace knnseq::stages {

/// Where such work is done.
struct ReplacementFolders {
  ReplacementFolders(std::filesystem::path run_directory, const ReplacingWork& work);
  std::filesystem::path run_dir, folder, next, ready, replaced;

  /// The path of what is to replace `path`, which lies in the run directory.
  std::filesystem::path next_of(const std::filesystem::path& path) const {
    return next / path.lexically_relative(run_dir);
  }
};

/// Folders of the run directory, by their names in it.
struct Replacement {
  std::vector<std::string> replaced;      ///< by those of the same names in `next`
  std::vector<std::string> dropped;       ///< for good
  std::optional<Removals> removals = {};  ///< what is recorded then
};

/// Begins `next`, or finds what a killed run for the same request has left there; what one for
/// another request has left is removed. Not collective; throws core::SystemError.
void open_next(const ReplacementFolders& folders, const core::Json& request);

/// Makes `next`, with everything of `replacement` in it, count: it gets the name `ready` in one
/// step. From then on put_in_place() finishes the work, however often a kill interrupts it. Not
/// collective; throws core::SystemError.
void make_ready(const ReplacementFolders& folders, const Replacement& replacement);

/// Moves the folders that are ready to their places and removes the old ones, but for files that
/// are not ours, which stay. Not collective; throws core::InputError if what is ready is damaged,
/// core::SystemError.
void put_in_place(const ReplacementFolders& folders);

/// Does so if a killed command has left something ready, and says so in the log. Whether there was
/// something. Collective.
bool finish_replacing(runtime::StageContext& context, const ReplacingWork& work);

/// All folders of stages in `folder` and below it, by their names in the run directory.
std::vector<std::string> stage_folders_in(const std::filesystem::path& run_dir,
                                          const std::filesystem::path& folder);

}  // namespace knnseq::stages
