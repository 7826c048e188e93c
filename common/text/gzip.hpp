// Compressed input.
#pragma once

#include <filesystem>
#include <string>

namespace knnseq::text {

/// Whether a file starts with gzip's magic bytes, whatever its name. Throws InputError where it
/// cannot be read.
bool is_gzip_file(const std::filesystem::path& path);

/// Decompresses `in` (one or more gzip members) to `out`, which appears under its name only when
/// complete and durable. Throws InputError naming `in` where it is not gzip, is truncated or
/// damaged; SystemError where `out` cannot be written.
void gunzip_file(const std::filesystem::path& in, const std::filesystem::path& out);

/// Decompresses `file` into memory. Throws as above.
std::string gunzip(const std::filesystem::path& file);

}  // namespace knnseq::text
