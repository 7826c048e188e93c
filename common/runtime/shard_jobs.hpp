// The loop that encode and add share: shards, cut into units that ranks compute and commit.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "runtime/prefetcher.hpp"
#include "runtime/progress.hpp"
#include "runtime/shard_team.hpp"
#include "runtime/stage_context.hpp"
#include "runtime/stage_runner.hpp"
#include "store/shard_file.hpp"

namespace knnseq::runtime {

/// What is made of one shard.
struct ShardPlan {
  std::vector<store::DatasetSpec> datasets;
  std::vector<std::int64_t> unit_items;  ///< of each unit, for progress
  store::FileLabel label = {};           ///< of the HDF5 file
};

/// A unit that was computed ahead, or is still on its way from a device.
struct ComputedUnit {
  std::function<void()> wait;  ///< until it is here; may be empty
  /// Writes its rows; the loop commits them. Called on the main thread, as it calls HDF5.
  std::function<void(store::ShardFile& file)> write;
};

/// Where the time of one rank's main thread went.
struct UnitSeconds {
  double waiting = 0;  ///< for units to be computed
  double writing = 0;  ///< rows and journals, durably
};

/// Whether a unit is no longer wanted, since the main thread has failed: asked now and then, so
/// that the job ends soon.
using Abandoned = std::function<bool()>;

/// Throws core::SystemError if so.
void give_up_if(const Abandoned& abandoned);

/// A stage's part in the loop. All are called in the order prepare, compute for some units, finish.
struct ShardWork {
  /// Prepares a shard; called by every member of its team.
  std::function<ShardPlan(std::int64_t shard)> prepare;
  /// Computes a unit, without HDF5 and MPI: always on the same extra thread, while the unit
  /// before is written.
  std::function<ComputedUnit(std::int64_t unit, const Abandoned& abandoned)> compute;
  /// Called by the team's root when all units are done: what the manifest says beside its ranges.
  std::function<core::Json(std::int64_t shard)> finish;
  /// The ending of the file that is kept. If it is not ".h5", finish() makes the file from the HDF5
  /// file, which is then removed.
  std::string result = ".h5";
};

/// Fills `folder`/shard-*.h5. Unit u of a shard is done by member u mod members of its team. Units
/// found in the journals are skipped. SIGUSR1 ends the loop between two units; a unit that is being
/// computed ahead is still written. A finished shard has a file shard-*.json with the checksums of
/// all ranges and is not opened again.
class ShardJobs {
 public:
  struct Total {
    std::string unit;        ///< "entries"
    std::int64_t items = 0;  ///< of all shards
  };
  ShardJobs(StageContext& context, const ShardTeam& team, std::filesystem::path folder,
            const Total& total)
      : context_(context), team_(team), folder_(std::move(folder)), total_(total) {}

  /// Content for the stage's manifest: {"shards": {name: …}, "files": {…}}. Throws core::Stopped on
  /// all ranks after a stop signal. Collective.
  StageOutcome run(const ShardWork& work);

  /// Times of run().
  const UnitSeconds& seconds() const { return seconds_; }

 private:
  /// What one call of run() works with.
  struct Means {
    const ShardWork& work;
    Progress& progress;
    Prefetcher<ComputedUnit>& worker;
  };

  bool run_shard(std::int64_t shard, const Means& with);
  bool compute_units(const std::vector<std::int64_t>& units, const Means& with,
                     store::ShardFile& file, const ShardPlan& plan);
  void commit(std::int64_t unit, const Means& with, store::ShardFile& file, const ShardPlan& plan);
  void remove_leftovers(std::int64_t shard, const ShardWork& work) const;
  void require_rows(std::int64_t shard, const core::Json& units) const;

  StageContext& context_;
  const ShardTeam& team_;
  std::filesystem::path folder_;
  Total total_;
  std::string owner_;  ///< what the stage was begun with
  StageWork done_;
  UnitSeconds seconds_;
};

/// The manifest of one shard of a finished stage: what ShardWork::finish gave, "items" and, if
/// the HDF5 file is what lasts, its "structure" and "units" (store::ShardFile::finish). Throws
/// core::InputError if it is not the one that the stage's manifest knows.
core::Json read_shard_manifest(const std::filesystem::path& folder, std::int64_t shard);
/// The same for a finished shard of an unfinished stage; `begun`: that stage's begun_identity().
core::Json read_begun_shard_manifest(const std::filesystem::path& folder, const std::string& begun,
                                     std::int64_t shard);
/// Writes what either of them has read, of a shard whose files stand in `folder`, for the stage
/// that was begun there.
void write_begun_shard_manifest(const std::filesystem::path& folder, const std::string& begun,
                                std::int64_t shard, const core::Json& manifest);

}  // namespace knnseq::runtime
