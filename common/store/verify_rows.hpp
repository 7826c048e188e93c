// Rows of HDF5 files against the checksums that they were committed with.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "core/files.hpp"
#include "store/hdf5_file.hpp"

namespace knnseq::store {

/// XXH3-64 as 16 hexadecimal digits, as ranges have it.
std::string range_checksum(std::span<const std::byte> bytes);

/// Compares bytes that were read with the checksum their manifest gives for them. Throws
/// core::InputError naming file, dataset and rows.
void verify_range(const std::filesystem::path& file, const core::Json& range,
                  std::span<const std::byte> bytes);

/// The bytes of a range, if the dataset has that many. Throws core::InputError.
std::size_t bytes_of_range(const std::filesystem::path& file, const Hdf5File& hdf5,
                           const core::Json& range);

/// Reads the ranges of some units, [[{"dataset", "first_row", "bytes", "checksum"} …] …], and
/// returns one line for each that is damaged or cannot be read. The file's structure must be right.
/// Memory: one range.
std::vector<std::string> damaged_rows(const std::filesystem::path& file, const core::Json& units);

}  // namespace knnseq::store
