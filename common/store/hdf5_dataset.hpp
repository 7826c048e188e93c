// Datasets of existing HDF5 files; for the .cpp files of this module.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/types.hpp"
#include "store/hdf5_call.hpp"
#include "store/hdf5_file.hpp"

namespace knnseq::store {

/// HDF5's type of the values as they are stored.
Hdf5Handle stored_type(DataType type);

/// An open dataset and its properties.
struct Hdf5Dataset {
  Hdf5Handle handle;
  DataType type = DataType::int64;
  std::vector<std::int64_t> shape;  ///< [rows] or [rows, columns]
  core::Range bytes;                ///< of the file that hold its rows; empty for an empty one

  std::int64_t row_bytes() const { return shape[0] > 0 ? bytes.size() / shape[0] : 0; }
};

/// Opens a dataset at the file's root. Throws core::InputError unless it is of a kind that
/// Hdf5File describes.
Hdf5Dataset open_dataset(const std::filesystem::path& path, hid_t file, const std::string& name);

}  // namespace knnseq::store
