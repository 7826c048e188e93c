// Lines of plain files: whole, and by several ranks, whose parts make up the whole.
#include <string>

#include "core/file_kind.hpp"
#include "core/utf8.hpp"
#include "fuzz.hpp"
#include "memory_file.hpp"
#include "text/files/line_files.hpp"
#include "text/files/read_lines.hpp"
#include "text/files/text_file.hpp"
#include "text/pieces/moses_marks.hpp"

using namespace knnseq;

namespace {

std::vector<std::string> lines_in_parts(const text::LineFiles& files, std::int64_t parts) {
  const auto counts = files.count_lines();
  std::int64_t total = 0;
  for (const auto count : counts) total += count;
  std::vector<std::string> lines;
  for (std::int64_t part = 0; part < parts; ++part) {
    const core::Range range{total * part / parts, total * (part + 1) / parts};
    files.for_each_line(range, counts, [&](std::int64_t line, std::string_view text, const auto&) {
      fuzz::require(line == static_cast<std::int64_t>(lines.size()), "lines are in order");
      lines.emplace_back(text);
    });
  }
  return lines;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::MemoryFile plain(fuzz::as_text(data, size));
  if (text::is_compressed(plain.path())) return 0;  // fuzz_containers
  const auto lines = lines_in_parts(text::LineFiles({plain.path()}), 1);
  fuzz::require(lines_in_parts(text::LineFiles({plain.path()}, 7), 3) == lines,
                "small chunks give the same lines");
  text::find_moses_marks(lines);
  const bool valid = std::ranges::all_of(lines, core::is_valid_text);
  const bool foreign =
      core::describe_foreign_text(fuzz::as_text(data, std::min(size, core::head_bytes)))
          .has_value();
  std::vector<std::string> whole;
  fuzz::read([&] { whole = text::read_lines(plain.path()); });
  fuzz::require(!valid || foreign || whole == lines, "read whole they are the same");
  fuzz::require((valid && !foreign) || whole.empty(), "invalid text is refused");
  return 0;
}
