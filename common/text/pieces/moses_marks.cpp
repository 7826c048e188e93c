#include "text/pieces/moses_marks.hpp"

#include <algorithm>
#include <array>

namespace knnseq::text {

namespace {

constexpr std::array<std::string_view, 8> escapes{"&amp;",  "&#124;", "&lt;",  "&gt;",
                                                  "&apos;", "&quot;", "&#91;", "&#93;"};
constexpr std::string_view hyphen = "@-@";

bool is_word(std::string_view line, std::size_t begin, std::size_t size) {
  const std::size_t end = begin + size;
  return (begin == 0 || line[begin - 1] == ' ') && (end == line.size() || line[end] == ' ');
}

/// The mark at `position`, a view of the constants above; empty if there is none.
std::string_view mark_at(std::string_view line, std::size_t position) {
  const std::string_view rest = line.substr(position);
  if (rest.starts_with(hyphen) && is_word(line, position, hyphen.size())) return hyphen;
  const auto found = std::find_if(escapes.begin(), escapes.end(),
                                  [&](std::string_view mark) { return rest.starts_with(mark); });
  return found == escapes.end() ? std::string_view() : *found;
}

std::string_view first_mark(std::string_view line) {
  for (std::size_t i = 0; (i = line.find_first_of("&@", i)) != std::string_view::npos; ++i) {
    const std::string_view mark = mark_at(line, i);
    if (!mark.empty()) return mark;
  }
  return {};
}

}  // namespace

MosesMarks find_moses_marks(std::span<const std::string> lines, std::size_t max_examples) {
  MosesMarks marks;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string_view mark = first_mark(lines[i]);
    if (mark.empty()) continue;
    ++marks.lines;
    if (marks.examples.size() < max_examples) {
      marks.examples.push_back({static_cast<std::int64_t>(i + 1), mark});
    }
  }
  return marks;
}

}  // namespace knnseq::text
