// A shard's HDF5 file while it is filled: unit by unit, by one rank or several, over any number of
// runs.
#pragma once

#include <filesystem>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "core/files.hpp"
#include "store/hdf5_file.hpp"
#include "store/journal.hpp"

namespace knnseq::store {

/// A unit is what is committed together: some rows of some datasets. Each rank of the team that
/// works on the shard appends to a journal of its own which units it has finished, with the
/// checksum of every range; a later run, with any number of ranks, leaves those out. What the file
/// was created like stands in `name`.structure.
class ShardFile {
 public:
  struct Place {
    std::filesystem::path folder;
    std::string name;
    std::string owner;  ///< says what is made here: leftovers of something else are refused
  };

  /// Opens `folder`/`name`.h5, or creates it with these datasets and this label if it is not there
  /// yet. Throws core::InputError on all ranks if the file's structure or a journal is damaged.
  /// Collective on `team`.
  static ShardFile open(const Place& place, comm::Communicator& team,
                        const std::vector<DatasetSpec>& datasets, const FileLabel& label = {});

  bool has(std::int64_t unit) const { return done_.contains(unit); }

  /// Writes rows that belong to the unit to be committed next.
  template <class T>
  void write(const std::string& dataset, std::int64_t first_row, std::span<const T> values) {
    write_bytes(dataset, first_row, std::as_bytes(values));
  }
  /// Makes the rows written since the last commit durable and records them as this unit's. Returns
  /// their bytes.
  std::int64_t commit(std::int64_t unit);

  /// Closes the file and returns {"structure", "units"}: what describe_structure() gave, and the
  /// ranges of all units with their checksums, in order of units: [[{"dataset", "first_row",
  /// "bytes", "checksum"} …] …], with "aside": true for auxiliary datasets. Every unit must
  /// be done. Collective on `team`.
  core::Json finish(comm::Communicator& team, std::int64_t units);
  /// Closes without finishing (work left for a later run). Collective on `team`.
  void close() { file_.close(); }

  /// The damage of an unfinished shard, one line each: its structure, journals or committed
  /// rows. Not collective.
  static std::vector<std::string> damages(const Place& place);

  /// Removes what only an unfinished shard needs beside its file. Once, by one rank, after its
  /// manifest is durable.
  static void remove_journals(const std::filesystem::path& folder, const std::string& name);

 private:
  ShardFile(Hdf5File file, Place place) : file_(std::move(file)), place_(std::move(place)) {}
  void write_bytes(const std::string& dataset, std::int64_t first_row,
                   std::span<const std::byte> bytes);

  Hdf5File file_;
  Place place_;
  core::Json structure_;
  std::unique_ptr<Journal> journal_;
  std::set<std::int64_t> done_;
  std::set<std::string> auxiliary_;  ///< datasets
  core::Json pending_ = core::Json::array();
};

}  // namespace knnseq::store
