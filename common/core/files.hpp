// Small files read and written whole, durably, and what identifies an input file.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace knnseq::core {

using Json = nlohmann::json;
namespace fs = std::filesystem;

/// All bytes of a file, however many (read_whole in input_file.hpp has a limit). Throws InputError
/// if it is missing, unreadable or not a regular file.
std::string read_file(const fs::path& path);

/// Parses a JSON file. Throws InputError naming the file if it is missing, malformed, too large
/// or recognised as something else (read_model_file in input_file.hpp).
Json read_json(const fs::path& path);

/// Writes to a temporary name, fsyncs, renames, fsyncs the folder: after a crash the old or the
/// new content is there, never a part. Follows no link (own_files.hpp). Throws SystemError.
void write_file_durably(const fs::path& path, std::string_view content);

/// Lets `write` make a file under a temporary name, then fsyncs and renames as above. If it
/// throws, what it has written is removed.
void publish_file(const fs::path& path, const std::function<void(const fs::path&)>& write);

/// Creates a folder and its parents; not an error if it exists. Throws SystemError.
void make_directories(const fs::path& path);

/// XXH3-128 of a file's content, 32 hexadecimal digits.
std::string fingerprint_file(const fs::path& path);

/// The stamp of an input file: its file_identity() (core/file_identity.hpp) and "fingerprint". If
/// `known` is a stamp with the same identity, its fingerprint is reused without reading the file.
/// Throws InputError if the file is missing.
Json stamp_file(const fs::path& path, const Json& known = {});

}  // namespace knnseq::core
