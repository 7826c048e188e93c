// Small JSON files in which changes and mix-ups are detected.
#pragma once

#include <filesystem>
#include <string>

#include "core/files.hpp"

namespace knnseq::store {

/// Writes the object with a checksum of it and of `owner`, the name of what it is about (durably,
/// as core::write_file_durably does; the same content gives the same bytes).
void write_sealed(const std::filesystem::path& path, const std::string& owner, core::Json object);

/// Reads it back, without the checksum. Throws core::InputError if the file is missing, was
/// changed, belongs to another owner or holds an impossible count.
core::Json read_sealed(const std::filesystem::path& path, const std::string& owner);

}  // namespace knnseq::store
