#include "text/read_lines.hpp"

#include <numeric>

#include <fmt/format.h>
#include <unistd.h>

#include "core/error.hpp"
#include "text/gzip.hpp"
#include "text/line_files.hpp"
#include "text/utf8.hpp"

namespace knnseq::text {

std::vector<std::string> read_lines(const std::filesystem::path& file) {
  std::vector<std::string> lines;
  auto plain = file;
  const bool packed = is_gzip_file(file);
  if (packed) {
    plain = std::filesystem::temp_directory_path() /
            fmt::format("knnseq-{}-{}", ::getpid(), file.filename().string());
    gunzip_file(file, plain);
  }
  const LineFiles files({plain});
  const auto counts = files.count_lines();
  const auto total = std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
  files.for_each_line({0, total}, counts,
                      [&](std::int64_t, std::string_view line, const LinePlace& place) {
                        if (!is_valid_text(line)) {
                          throw core::InputError(fmt::format("{}:{}", file.string(), place.line),
                                                 "invalid text (not UTF-8, or with NUL)");
                        }
                        lines.emplace_back(line);
                      });
  if (packed) std::filesystem::remove(plain);
  return lines;
}

}  // namespace knnseq::text
