// What a file is by its first bytes, where it is not what was asked for.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace knnseq::core {

/// So many bytes of a file's start are looked at.
inline constexpr std::size_t head_bytes = std::size_t{1} << 16;

/// "a zip archive; unpack it first, for example with unzip": what a file is that begins like this,
/// and what to do; nothing where it is none of the kinds that are known. Knows archives, compressed
/// files, documents, data of other programs, text in UTF-16 and UTF-32, pointers of git-lfs and web
/// pages.
std::optional<std::string> describe_foreign(std::string_view head);

/// The same of a file that should be UTF-8 text: also where it is in UTF-16 or UTF-32 without a
/// mark, its lines end in carriage returns alone, or it is full of NUL bytes. Single NUL bytes and
/// invalid characters are no reason, nor is a first line that begins with a tag.
std::optional<std::string> describe_foreign_text(std::string_view head);

/// Throws InputError "PATH: is …" where describe_foreign knows the kind.
void refuse_foreign(const std::filesystem::path& path, std::string_view head);

}  // namespace knnseq::core
