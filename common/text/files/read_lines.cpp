#include "text/files/read_lines.hpp"

#include <fstream>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "text/files/line_reader.hpp"
#include "text/files/text_file.hpp"

namespace knnseq::text {

std::vector<std::string> read_lines(const std::filesystem::path& file, const TextLimits& limits) {
  LineReader reader(open_text(file), limits.line_bytes);
  std::vector<std::string> lines;
  std::size_t bytes = 0;
  while (auto line = reader.next()) {
    const auto refuse = [&](const std::string& reason) {
      throw core::InputError(fmt::format("{}:{}", file.string(), lines.size() + 1), reason);
    };
    if (line->size() > limits.line_bytes) {
      refuse(fmt::format("the line has more than {} bytes: is this one sentence a line?",
                         limits.line_bytes));
    }
    if (lines.empty() && line->starts_with(core::byte_order_mark)) {
      line->remove_prefix(core::byte_order_mark.size());
    }
    if (!core::is_valid_text(*line)) refuse("invalid text (not UTF-8, or with NUL)");
    bytes += line->size();
    if (bytes > limits.bytes || lines.size() == limits.lines) {
      refuse(
          fmt::format("here the text has more than {} lines or {} MiB: cut it into several files",
                      limits.lines, limits.bytes >> 20));
    }
    lines.emplace_back(*line);
  }
  return lines;
}

void copy_first_lines(const std::vector<std::filesystem::path>& files, std::int64_t most,
                      const std::filesystem::path& to) {
  std::ofstream out(to, std::ios::binary);
  for (const auto& file : files) {
    LineReader reader(open_text(file), TextLimits{}.line_bytes);
    while (most > 0) {
      const auto line = reader.next();
      if (!line) break;
      out << *line << '\n';
      --most;
    }
  }
  out.close();
  if (!out) throw core::SystemError(to.string() + ": cannot be written");
}

}  // namespace knnseq::text
