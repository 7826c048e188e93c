#include "text/pieces/bpe_codes.hpp"

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/utf8.hpp"

namespace knnseq::text {

namespace {

std::string_view trim(std::string_view line) {
  const auto begin = line.find_first_not_of("\r ");
  if (begin == std::string_view::npos) return {};
  return line.substr(begin, line.find_last_not_of("\r ") + 1 - begin);
}

/// The first four fields: no format has as many.
std::vector<std::string_view> split_at_spaces(std::string_view line) {
  std::vector<std::string_view> fields;
  for (;;) {
    const auto space = line.find(' ');
    fields.push_back(line.substr(0, space));
    if (space == std::string_view::npos || fields.size() == 4) return fields;
    line.remove_prefix(space + 1);
  }
}

bool is_count(std::string_view field) {
  return std::all_of(field.begin(), field.end(), [](char c) { return c >= '0' && c <= '9'; });
}

struct Format {
  bool header = false;
  bool separate_end = false;
  std::size_t fields = 2;  ///< of each line after the header
};

Format format_of(std::string_view first_line) {
  if (!first_line.starts_with("#version:")) {
    const bool counts = split_at_spaces(trim(first_line)).size() == 3;  // fastBPE's
    return {.separate_end = !counts, .fields = counts ? 3u : 2u};
  }
  const std::string_view version = trim(first_line.substr(first_line.find(':') + 1));
  if (version != "0.1" && version != "0.2") {
    throw core::InputError(fmt::format("the version '{}' is not known; 0.1 and 0.2 are", version));
  }
  return {.header = true, .separate_end = version == "0.1"};
}

BpeCodes::Merge read_merge(std::string_view line, std::size_t fields) {
  const auto parts = split_at_spaces(trim(line));
  const bool filled =
      std::none_of(parts.begin(), parts.end(), [](std::string_view part) { return part.empty(); });
  if (!filled || parts.size() != fields || (fields == 3 && !is_count(parts[2]))) {
    throw core::InputError(fmt::format("must be two symbols{} with single spaces between them",
                                       fields == 3 ? " and a count" : ""));
  }
  return {parts[0], parts[1]};
}

}  // namespace

BpeCodes parse_bpe_codes(std::string_view content, const std::filesystem::path& path) {
  BpeCodes codes;
  Format format;
  while (content.ends_with('\n')) content.remove_suffix(1);
  for (std::int64_t number = 1; !content.empty(); ++number) {
    const std::string_view line = content.substr(0, content.find('\n'));
    content.remove_prefix(std::min(content.size(), line.size() + 1));
    try {
      if (!core::is_valid_text(line)) {
        throw core::InputError("invalid text (not UTF-8, or with NUL)");
      }
      if (number == 1) format = format_of(line);
      if (number > 1 || !format.header) codes.merges.push_back(read_merge(line, format.fields));
    } catch (const core::InputError& e) {
      throw core::InputError(fmt::format("{}:{}", path.string(), number), e.what());
    }
  }
  if (codes.merges.empty()) throw core::InputError(path, "holds no merges");
  codes.separate_end = format.separate_end;
  return codes;
}

}  // namespace knnseq::text
