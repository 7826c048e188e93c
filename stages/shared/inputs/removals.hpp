// What `remove` has left behind for other commands: corpora that it took out as a whole; and a
// removal or a merge that a kill has interrupted.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "runtime/stage_context.hpp"
#include "stages/shared/options/options.hpp"

namespace knnseq::stages {

/// Of all removals so far.
struct Removals {
  std::vector<std::string> corpora;           ///< taken out as a whole, and not appended since
  std::map<std::string, std::int64_t> pairs;  ///< how many of a corpus were taken out singly

  core::Json to_json() const;
  /// Nothing where nothing was removed. Throws core::InputError if the record is damaged.
  static Removals read(const std::filesystem::path& run_dir);
  /// Durably. Not collective.
  void write(const std::filesystem::path& run_dir) const;
};

/// Work that replaces what is there: in the folder `folder` of the run directory it makes `next`,
/// which gets the name `ready` when it is whole, and then moves what is in there to its place
/// (put_in_place.hpp).
struct ReplacingWork {
  const char* folder;
  const char* command;  ///< that does and finishes it
  const char* name;     ///< in messages
};
inline constexpr ReplacingWork removing{"remove", "remove", "a removal"};
inline constexpr ReplacingWork retraining{"retrain", "train --continue", "a training"};
inline constexpr const char* ready_name = "ready";

/// While this file is in a run directory, a merge that is to make it is not finished.
inline constexpr const char* merging_name = "merging.json";

/// What a killed command has left unfinished, so that only the same command may go on here.
struct UnfinishedChange {
  std::string command;  ///< "remove"
  std::string message;  ///< what was interrupted, and what to run
};
std::optional<UnfinishedChange> find_unfinished_change(const std::filesystem::path& run_dir);

/// Throws core::InputError if there is one of another command than this one. Not collective.
void require_no_unfinished_change(const std::filesystem::path& run_dir, const std::string& command);

/// Takes the corpora that were removed as a whole out of options.append, with a notice; those of
/// `again` are in from now on. Collective; throws core::InputError on all ranks.
void leave_out_removed(comm::Communicator& comm, obs::Log& log, Options& options,
                       const std::vector<std::string>& again);

}  // namespace knnseq::stages
