// What `remove` has left behind for other commands: corpora that it took out as a whole, and a
// removal that a kill has interrupted.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "runtime/stage_context.hpp"
#include "stages/shared/options/options.hpp"

namespace knnseq::stages {

/// Where `remove` works: it makes `next`, renames it to `ready` when it is whole, and then moves
/// what is in there to its place.
struct RemovalFolders {
  explicit RemovalFolders(const std::filesystem::path& run_dir);
  std::filesystem::path folder, manifest, next, ready, replaced;
};

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

/// Throws core::InputError if a removal was interrupted while it was put in place. Not collective.
void require_no_begun_removal(const std::filesystem::path& run_dir);

/// Takes the corpora that were removed as a whole out of options.append, with a notice; those of
/// `again` are in from now on. Collective; throws core::InputError on all ranks.
void leave_out_removed(comm::Communicator& comm, obs::Log& log, Options& options,
                       const std::vector<std::string>& again);

}  // namespace knnseq::stages
