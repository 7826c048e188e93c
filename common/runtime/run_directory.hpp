// Whether a folder is a run directory of ours: nothing is written to any other.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace knnseq::runtime {

enum class RunDirectoryUse {
  read,  ///< it must be there
  write  ///< it may be missing or empty
};

/// The file that marks a run directory: {"program", "holds", "format"}.
inline constexpr const char* marker_name = "knnseq-run.json";

/// The folder of stage records.
inline constexpr const char* records_name = "records";

/// Throws core::InputError naming the folder unless it carries our marker, holds the work of a
/// stage (an earlier version's, which set no marker) or, to be written to, is missing or empty.
/// `stage_folders`: names of the folders below it in which stages keep theirs, at most two deep.
/// Writes nothing. Not collective.
void require_run_directory(const std::filesystem::path& run_dir, RunDirectoryUse use,
                           const std::vector<std::string>& stage_folders);

/// Marks it, unless it is marked. To be called under its lock, before anything else is written.
void mark_run_directory(const std::filesystem::path& run_dir);

}  // namespace knnseq::runtime
