// Rows of a stored dataset, some of them, compared with their checksums.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/files.hpp"
#include "store/hdf5_file.hpp"
#include "store/row_reader.hpp"

namespace knnseq::stages {

/// One dataset of a finished shard. Rows are read in the ranges that were committed together, as
/// their checksums are of whole ranges; the last one is kept, since rows are asked for in their
/// order.
class StoredRows {
 public:
  /// `units`: of the shard's manifest. HDF5 is called here only. Throws core::InputError unless
  /// the dataset has so many rows, and ranges that cover them.
  StoredRows(const std::filesystem::path& path, const store::DatasetSpec& spec,
             const core::Json& units, std::int64_t rows);

  const std::string& name() const { return name_; }
  /// The bytes of these rows, which ascend; on any thread. Throws core::InputError if a range is
  /// damaged.
  std::vector<std::byte> read(std::span<const std::int64_t> rows);

 private:
  const std::byte* find(std::int64_t row);

  std::filesystem::path path_;
  std::string name_;
  std::unique_ptr<store::RowReader> reader_;
  std::vector<core::Json> ranges_;  ///< by their first rows
  std::int64_t row_bytes_ = 0;
  std::int64_t first_ = 0, end_ = 0;  ///< rows of the range that is kept
  std::vector<std::byte> bytes_;
};

}  // namespace knnseq::stages
