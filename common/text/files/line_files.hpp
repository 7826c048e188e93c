// Several text files seen as one sequence of lines, which ranks count and read in parallel.
#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/types.hpp"

namespace knnseq::text {

/// Where a line is, for messages.
struct LinePlace {
  const std::filesystem::path* file = nullptr;
  std::int64_t line = 0;  ///< in that file, from 1

  std::string text() const;  ///< "corpus.de:12"
};

/// Called with the number of the line over all files (from 0), its text without the line end, and
/// its place. The text is valid during the call only.
using LineVisitor = std::function<void(std::int64_t, std::string_view, const LinePlace&)>;

/// The lines of plain files, one after another. A line ends at "\n" or "\r\n", or where its file
/// ends; a UTF-8 byte order mark at the start of a file is left out. Lines may hold any bytes, and
/// be of any length, but of those of more than `longest_line` bytes only the first longest_line + 1
/// are given. To find line N without reading everything before it, the files are cut into chunks of
/// `chunk_bytes`, whose lines are counted first (each chunk by some rank).
class LineFiles {
 public:
  static constexpr std::int64_t default_chunk_bytes = std::int64_t{64} << 20;
  static constexpr std::size_t longest_line = std::size_t{64} << 20;

  /// Throws InputError if a file is missing, not a regular file, or compressed.
  explicit LineFiles(std::vector<std::filesystem::path> files,
                     std::int64_t chunk_bytes = default_chunk_bytes);

  /// Sets the names that messages use: for unpacked files those that the user knows.
  void call(std::vector<std::filesystem::path> names);

  std::int64_t chunk_count() const;

  /// Lines that end in chunk i of [0, chunk_count()). Reads that chunk only.
  std::int64_t count_lines_in_chunk(std::int64_t i) const;

  /// Counts of all chunks, for callers that work alone.
  std::vector<std::int64_t> count_lines() const;

  /// Visits the lines [lines.begin, lines.end) in order. lines_per_chunk: [chunk_count()], as
  /// counted above. Throws InputError if a file has changed since it was counted.
  void for_each_line(core::Range lines, std::span<const std::int64_t> lines_per_chunk,
                     const LineVisitor& visit) const;

 private:
  struct Chunk {
    std::size_t file;
    std::int64_t begin;  ///< bytes in that file
    std::int64_t end;
    bool last;  ///< of its file
  };
  struct Start {
    std::size_t chunk;
    std::int64_t line;  ///< number of the first line that ends in that chunk
  };
  Start find_start(std::int64_t line, std::span<const std::int64_t> lines_per_chunk) const;

  std::vector<std::filesystem::path> files_;
  std::vector<std::filesystem::path> names_;
  std::vector<std::int64_t> file_bytes_;
  std::vector<Chunk> chunks_;
};

}  // namespace knnseq::text
