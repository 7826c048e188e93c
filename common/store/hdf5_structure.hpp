// All of an HDF5 file but the rows of its datasets: superblock, headers, attributes, gaps.
#pragma once

#include <filesystem>

#include "core/files.hpp"

namespace knnseq::store {

/// {"bytes": of the file, "ranges": [{"first_byte", "bytes", "checksum"} …]}: with the checksums of
/// all rows these cover every byte. The file's datasets must be contiguous and lie at its root.
/// Throws core::InputError if it is not an HDF5 file.
core::Json describe_structure(const std::filesystem::path& path);

/// Compares a file with its description, before the HDF5 library sees it, which may do anything
/// with damaged metadata. Throws core::InputError naming the file and the bytes.
void verify_structure(const std::filesystem::path& path, const core::Json& structure);

}  // namespace knnseq::store
