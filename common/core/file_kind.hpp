// Recognises, by their first bytes, files that are not what was asked for.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace knnseq::core {

/// How many bytes at a file's start are examined.
inline constexpr std::size_t head_bytes = std::size_t{1} << 16;

/// What a file that begins like this is and what to do, as in "a zip archive; unpack it first, for
/// example with unzip"; std::nullopt if its kind is not known. Knows archives, compressed files,
/// documents, data of other programs, text in UTF-16 and UTF-32, pointers of git-lfs and web
/// pages.
std::optional<std::string> describe_foreign(std::string_view head);

/// The same for a file that should be UTF-8 text: also recognises UTF-16 and UTF-32 without a byte
/// order mark, line ends that are carriage returns alone, and text full of NUL bytes. Single NUL
/// bytes, invalid characters and a first line that begins with a tag are accepted.
std::optional<std::string> describe_foreign_text(std::string_view head);

/// Throws InputError "PATH: is …" if describe_foreign knows the kind.
void refuse_foreign(const std::filesystem::path& path, std::string_view head);

}  // namespace knnseq::core
