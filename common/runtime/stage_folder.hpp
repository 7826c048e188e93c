// The folder of a stage: whether it is ours, and what of it a stage may remove.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/files.hpp"

namespace knnseq::runtime {

inline constexpr const char* manifest_name = "manifest.json";
inline constexpr const char* state_name = "state.json";
inline constexpr const char* state_owner = "state";  ///< of the seal of state.json

/// Whether a folder holds a record of ours that is whole: the manifest of a finished stage (or of
/// one that another version has finished), the state of a begun one, or either of them under the
/// name that it has while a stage is cleared.
bool has_record(const std::filesystem::path& folder);

/// A folder that one stage owns. Only what the stage makes is ever removed: its records, shard-*,
/// the names it gives here, those that its manifest lists, and what is left of their temporary
/// files. Anything else stays. Not collective.
class StageFolder {
 public:
  /// `path` lies in `run_dir`. `names`: what the stage makes beside records and shards; "…*" stands
  /// for all names that begin so, "…/" for a folder, which is removed whole.
  StageFolder(std::filesystem::path run_dir, std::filesystem::path path,
              std::vector<std::string> names);

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path manifest() const { return path_ / manifest_name; }
  std::filesystem::path state() const { return path_ / state_name; }

  /// Throws core::InputError naming what is in the way: a symbolic link on the way from the run
  /// directory, or something in a folder that has no record of ours. A damaged record counts if
  /// everything beside it has a name that the stage gives.
  void require_own() const;

  /// Whether a kill has interrupted start_over(): the content no longer counts.
  bool is_being_cleared() const;

  /// Makes the folder, or clears it, and writes `state` as state.json. After a kill in between the
  /// folder is still known to be ours.
  void start_over(const core::Json& state) const;

  /// Marks the content as not to be resumed: the next run starts over.
  void discard() const;

  /// Removes what the stage has made, and the folder if nothing else is in it.
  void remove() const;

  /// Removes what a finished stage has made and keeps the folder, and what else is in it.
  void clear() const;

  /// Removes what only unfinished work needs, and the remains of files that were being written when
  /// a run was killed. Never fails: a finished stage may lie in a folder that is read-only by now.
  void tidy() const;

 private:
  bool makes(const std::filesystem::directory_entry& entry) const;
  void remove_files(const std::string& kept) const;

  std::filesystem::path run_dir_;
  std::filesystem::path path_;
  std::vector<std::string> names_;
};

}  // namespace knnseq::runtime
