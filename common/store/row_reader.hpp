// Rows of a finished HDF5 file for any thread.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "store/hdf5_file.hpp"

namespace knnseq::store {

/// Reads rows of one dataset by plain reads at their place in the file, since the HDF5 library may
/// serve one thread at a time only: it is asked for the place once, by the constructor.
class RowReader {
 public:
  /// On the thread that calls HDF5. Throws core::InputError if the file is missing, is not an HDF5
  /// file or has no dataset of this name and type with so many dimensions (1 or 2).
  RowReader(const std::filesystem::path& path, const std::string& dataset, DataType type,
            int dimensions = 2);
  ~RowReader();
  RowReader(const RowReader&) = delete;
  RowReader& operator=(const RowReader&) = delete;

  const std::vector<std::int64_t>& shape() const { return shape_; }  ///< [rows] or [rows, columns]

  /// Whole rows from first_row on, as they are stored (little-endian). On any thread. Throws
  /// core::InputError if the dataset has no such rows or the file ends before,
  /// core::SystemError if reading fails.
  void read_bytes(std::int64_t first_row, std::span<std::byte> bytes) const;

 private:
  std::filesystem::path path_;
  std::vector<std::int64_t> shape_;
  std::int64_t first_byte_ = 0;  ///< of the dataset's rows in the file
  std::int64_t row_bytes_ = 0;
  int fd_ = -1;
};

}  // namespace knnseq::store
