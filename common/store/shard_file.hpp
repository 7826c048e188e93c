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
/// checksum of every range; a later run, with any number of ranks, leaves those out.
class ShardFile {
 public:
  /// Opens `folder`/`name`.h5, or creates it with these datasets where it is not there yet.
  /// Collective on `team`.
  static ShardFile open(const std::filesystem::path& folder, const std::string& name,
                        comm::Communicator& team, const std::vector<DatasetSpec>& datasets);

  bool has(std::int64_t unit) const { return done_.contains(unit); }
  std::int64_t units_done() const { return static_cast<std::int64_t>(done_.size()); }

  /// Writes rows that belong to the unit to be committed next.
  template <class T>
  void write(const std::string& dataset, std::int64_t first_row, std::span<const T> values) {
    write_bytes(dataset, first_row, std::as_bytes(values));
  }
  /// Makes the rows written since the last commit durable and records them as this unit's. Returns
  /// their bytes.
  std::int64_t commit(std::int64_t unit);

  /// Closes the file and returns the ranges of all units with their checksums, in order of units:
  /// [[{"dataset", "first_row", "bytes", "checksum"} …] …], with "aside": true for those of
  /// datasets that are. Every unit must be done. Collective on `team`.
  core::Json finish(comm::Communicator& team, std::int64_t units);
  /// Closes without finishing (work left for a later run). Collective on `team`.
  void close() { file_.close(); }

  /// Removes the journals of a finished shard. Once, by one rank, after its manifest is durable.
  static void remove_journals(const std::filesystem::path& folder, const std::string& name);

 private:
  ShardFile(Hdf5File file, std::filesystem::path folder, std::string name)
      : file_(std::move(file)), folder_(std::move(folder)), name_(std::move(name)) {}
  void write_bytes(const std::string& dataset, std::int64_t first_row,
                   std::span<const std::byte> bytes);

  Hdf5File file_;
  std::filesystem::path folder_;
  std::string name_;
  std::unique_ptr<Journal> journal_;
  std::set<std::int64_t> done_;
  std::set<std::string> aside_;  ///< datasets
  core::Json pending_ = core::Json::array();
};

/// Compares bytes that were read with the checksum their manifest gives for them. Throws
/// core::InputError naming file, dataset and rows.
void verify_range(const std::filesystem::path& file, const core::Json& range,
                  std::span<const std::byte> bytes);

}  // namespace knnseq::store
