// Text files, plain or compressed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

namespace knnseq::text {

/// The bytes of a text file one after another, decompressed if the file is compressed.
class TextFile {
 public:
  virtual ~TextFile() = default;
  /// Fills `out`; less only at the end. Returns the bytes read. Throws InputError naming the file
  /// if it is truncated or damaged, SystemError if it cannot be read.
  virtual std::size_t read(std::span<char> out) = 0;
};

/// A file's text, decompressed from gzip, bzip2, xz or zstd (of one or more members, streams or
/// frames, with NUL bytes between and after them) if its first bytes, whatever its name, are of
/// these. Throws InputError if the file cannot be read, or what it holds begins like something
/// other than UTF-8 text (core::describe_foreign_text): compressed twice, an archive, ….
std::unique_ptr<TextFile> open_text(const std::filesystem::path& path);

/// A plain file's bytes from `offset` on, whatever they are.
std::unique_ptr<TextFile> open_plain(const std::filesystem::path& path, std::int64_t offset);

/// Whether a file is in one of the compressed formats. Throws InputError if it cannot be read.
bool is_compressed(const std::filesystem::path& path);

/// Writes the text of `in` to `out`, which appears under its name only when complete and durable.
/// Throws as open_text; SystemError if `out` cannot be written.
void unpack_text(const std::filesystem::path& in, const std::filesystem::path& out);

}  // namespace knnseq::text
