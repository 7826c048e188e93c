// The switch from what a run directory held to what a removal has made.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "stages/shared/inputs/removals.hpp"

namespace knnseq::stages {

/// Folders of the run directory, by their names in it.
struct Replacement {
  std::vector<std::string> replaced;  ///< by those of the same names in RemovalFolders::next
  std::vector<std::string> dropped;   ///< for good
  Removals removals;                  ///< what is recorded then
};

/// Makes RemovalFolders::next, with everything of `replacement` in it, count: it gets the name
/// `ready` in one step. From then on put_in_place() finishes the removal, however often a kill
/// interrupts it. Not collective; throws core::SystemError.
void make_ready(const std::filesystem::path& run_dir, const Replacement& replacement);

/// Whether a removal is ready.
bool is_ready(const std::filesystem::path& run_dir);

/// Moves the folders that are ready to their places and removes the old ones, but for files that
/// are not ours, which stay. Not collective; throws core::InputError if what is ready is damaged,
/// core::SystemError.
void put_in_place(const std::filesystem::path& run_dir);

/// All folders of stages in `folder` and below it, by their names in the run directory.
std::vector<std::string> stage_folders_in(const std::filesystem::path& run_dir,
                                          const std::filesystem::path& folder);

}  // namespace knnseq::stages
