// Whether an input file is still the one that it was.
#pragma once

#include <filesystem>

#include "core/files.hpp"

namespace knnseq::core {

/// {"path", "bytes", "modified_ns", "changed_ns", "inode", "device"} of a regular file. All of them
/// stay the same as long as nobody writes to it: an edit whose modification time is set back shows
/// in "changed_ns" (ctime, which nobody can set), a replacement in "inode". Throws InputError if
/// the file is missing or not a regular file.
Json file_identity(const fs::path& path);

}  // namespace knnseq::core
