#include "text/files/line_files.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/input_file.hpp"
#include "core/utf8.hpp"
#include "text/files/line_reader.hpp"
#include "text/files/text_file.hpp"

namespace knnseq::text {

namespace {

namespace fs = std::filesystem;

}  // namespace

std::string LinePlace::text() const { return fmt::format("{}:{}", file->string(), line); }

LineFiles::LineFiles(std::vector<fs::path> files, std::int64_t chunk_bytes)
    : files_(std::move(files)), names_(files_) {
  KNNSEQ_ASSERT(chunk_bytes > 0, "chunks must hold something");
  for (std::size_t file = 0; file < files_.size(); ++file) {
    const auto bytes = core::InputFile(files_[file]).bytes();
    if (is_compressed(files_[file])) throw core::InputError(files_[file], "is compressed");
    file_bytes_.push_back(bytes);
    for (std::int64_t begin = 0; begin < bytes; begin += chunk_bytes) {
      const std::int64_t end = std::min(bytes, begin + chunk_bytes);
      chunks_.push_back({file, begin, end, end == bytes});
    }
  }
}

void LineFiles::call(std::vector<fs::path> names) {
  KNNSEQ_ASSERT(names.size() == files_.size(), "one name a file");
  names_ = std::move(names);
}

std::int64_t LineFiles::chunk_count() const { return static_cast<std::int64_t>(chunks_.size()); }

std::int64_t LineFiles::count_lines_in_chunk(std::int64_t i) const {
  const Chunk& chunk = chunks_.at(i);
  const auto text = open_plain(files_[chunk.file], chunk.begin);
  std::vector<char> block(std::min(chunk.end - chunk.begin, std::int64_t{1} << 20));
  std::int64_t lines = 0;
  char last_byte = '\n';
  for (std::int64_t left = chunk.end - chunk.begin; left > 0;) {
    const auto wanted = std::min(block.size(), static_cast<std::size_t>(left));
    const std::size_t count = text->read(std::span(block).first(wanted));
    if (count == 0) {
      throw core::InputError(names_[chunk.file], "became shorter while it was read");
    }
    lines += std::count(block.begin(), block.begin() + static_cast<std::ptrdiff_t>(count), '\n');
    last_byte = block[count - 1];
    left -= static_cast<std::int64_t>(count);
  }
  return lines + (chunk.last && last_byte != '\n' ? 1 : 0);
}

std::vector<std::int64_t> LineFiles::count_lines() const {
  std::vector<std::int64_t> lines_per_chunk;
  for (std::int64_t i = 0; i < chunk_count(); ++i) {
    lines_per_chunk.push_back(count_lines_in_chunk(i));
  }
  return lines_per_chunk;
}

LineFiles::Start LineFiles::find_start(std::int64_t line,
                                       std::span<const std::int64_t> lines_per_chunk) const {
  std::size_t chunk = 0;
  std::int64_t first = 0;  // line that ends first in this chunk
  while (first + lines_per_chunk[chunk] <= line) first += lines_per_chunk[chunk++];
  if (line > first) return {chunk, first};
  // The line began in an earlier chunk, after the last line that ends there.
  while (chunks_[chunk].begin > 0) {
    --chunk;
    first -= lines_per_chunk[chunk];
    if (lines_per_chunk[chunk] > 0) break;
  }
  return {chunk, first};
}

void LineFiles::for_each_line(core::Range lines, std::span<const std::int64_t> lines_per_chunk,
                              const LineVisitor& visit) const {
  KNNSEQ_ASSERT(lines_per_chunk.size() == chunks_.size(), "one count a chunk");
  std::vector<core::Range> file_lines(files_.size());  // lines of each file
  std::int64_t total = 0;
  for (std::size_t chunk = 0; chunk < chunks_.size(); ++chunk) {
    auto& range = file_lines[chunks_[chunk].file];
    if (chunks_[chunk].begin == 0) range.begin = total;
    total += lines_per_chunk[chunk];
    range.end = total;
  }
  KNNSEQ_ASSERT(0 <= lines.begin && lines.begin <= lines.end && lines.end <= total,
                "lines out of range");
  if (lines.size() == 0) return;

  const Start start = find_start(lines.begin, lines_per_chunk);
  std::int64_t line = start.line;
  std::int64_t offset = chunks_[start.chunk].begin;
  for (std::size_t file = chunks_[start.chunk].file; line < lines.end; ++file, offset = 0) {
    if (static_cast<std::int64_t>(fs::file_size(files_[file])) != file_bytes_[file]) {
      throw core::InputError(names_[file], "changed while it was read");
    }
    if (file_lines[file].size() == 0) continue;
    LineReader reader(open_plain(files_[file], offset), longest_line);
    for (; line < std::min(lines.end, file_lines[file].end); ++line) {
      auto text = reader.next();
      if (!text) throw core::InputError(names_[file], "changed while it was read");
      if (line < lines.begin) continue;
      const LinePlace place{&names_[file], line - file_lines[file].begin + 1};
      if (place.line == 1 && text->starts_with(core::byte_order_mark)) {
        text->remove_prefix(core::byte_order_mark.size());
      }
      visit(line, *text, place);
    }
  }
}

}  // namespace knnseq::text
