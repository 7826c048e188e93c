#include "text/read_lines.hpp"

#include <string_view>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/utf8.hpp"
#include "text/gzip.hpp"

namespace knnseq::text {

namespace {
constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
}

std::vector<std::string> read_lines(const std::filesystem::path& file) {
  const std::string content = is_gzip_file(file) ? gunzip(file) : core::read_file(file);
  std::string_view rest = content;
  std::vector<std::string> lines;
  while (!rest.empty()) {
    const auto end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (lines.empty() && line.starts_with(byte_order_mark)) {
      line.remove_prefix(byte_order_mark.size());
    }
    if (!core::is_valid_text(line)) {
      throw core::InputError(fmt::format("{}:{}", file.string(), lines.size() + 1),
                             "invalid text (not UTF-8, or with NUL)");
    }
    lines.emplace_back(line);
  }
  return lines;
}

}  // namespace knnseq::text
