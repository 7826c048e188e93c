#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "core/random.hpp"
#include "support/temporary_folder.hpp"
#include "text/files/line_files.hpp"

using knnseq::test::TemporaryFolder;

using namespace knnseq;
using Catch::Contains;

namespace {

struct Line {
  std::string text;
  std::string place;
  bool operator==(const Line&) const = default;
};

/// The plain reading of one file's content.
void append_lines(const std::string& content, const std::string& path, std::vector<Line>& lines) {
  std::string rest = content.starts_with("\xEF\xBB\xBF") ? content.substr(3) : content;
  // A byte order mark alone is an empty line.
  if (rest.empty() && !content.empty()) rest.push_back('\n');
  for (std::int64_t number = 1; !rest.empty(); ++number) {
    const std::size_t end = rest.find('\n');
    std::string line = rest.substr(0, end);
    if (line.ends_with('\r')) line.pop_back();
    lines.push_back({line, path + ":" + std::to_string(number)});
    rest.erase(0, end == std::string::npos ? end : end + 1);
  }
}

std::vector<Line> read_range(const text::LineFiles& files, core::Range range,
                             const std::vector<std::int64_t>& lines_per_chunk) {
  std::vector<Line> lines;
  std::int64_t expected = range.begin;
  files.for_each_line(range, lines_per_chunk,
                      [&](std::int64_t number, std::string_view line, const text::LinePlace& at) {
                        REQUIRE(number == expected++);
                        lines.push_back({std::string(line), at.text()});
                      });
  return lines;
}

std::vector<Line> read_range(const text::LineFiles& files, core::Range range) {
  return read_range(files, range, files.count_lines());
}

std::string random_content(core::Random& random) {
  static const std::vector<std::string> parts{"\n", "\r\n", "\n\n", "a",
                                              "bc", "\r",   "ß",    "a longer piece of text"};
  std::string content = random.below(4) == 0 ? "\xEF\xBB\xBF" : "";
  for (std::uint64_t i = random.below(12); i > 0; --i) content += parts[random.below(parts.size())];
  return content;
}

}  // namespace

TEST_CASE("any range of lines is what plain reading gives, for any size of chunk") {
  const TemporaryFolder folder;
  core::Random random(1);
  for (int round = 0; round < 60; ++round) {
    std::vector<std::filesystem::path> paths;
    std::vector<Line> expected;
    for (std::uint64_t i = 0; i <= random.below(3); ++i) {
      const std::string content = random_content(random);
      paths.push_back(folder.write("file" + std::to_string(i), content));
      append_lines(content, paths.back().string(), expected);
    }
    for (const std::int64_t chunk_bytes : {1, 2, 3, 7, 20, 1000}) {
      const text::LineFiles files(paths, chunk_bytes);
      const auto counts = files.count_lines();
      const auto total = static_cast<std::int64_t>(expected.size());
      REQUIRE(read_range(files, {0, total}) == expected);
      for (std::int64_t begin = 0; begin < total; ++begin) {
        for (const std::int64_t end : {begin, begin + 1, total}) {
          const std::vector<Line> part(expected.begin() + begin, expected.begin() + end);
          REQUIRE(read_range(files, {begin, end}, counts) == part);
        }
      }
    }
  }
}

TEST_CASE("no files, empty files and a file without a final newline") {
  const TemporaryFolder folder;
  const text::LineFiles none({});
  CHECK(none.chunk_count() == 0);
  CHECK(read_range(none, {0, 0}).empty());

  const auto empty = folder.write("empty", "");
  const auto open = folder.write("open", "a\nb");
  const text::LineFiles files({empty, open, empty, open});
  CHECK(files.count_lines() == std::vector<std::int64_t>{2, 2});
  const auto lines = read_range(files, {1, 3});
  CHECK(lines == std::vector<Line>{{"b", open.string() + ":2"}, {"a", open.string() + ":1"}});
}

TEST_CASE("lines of many megabytes are read whole") {
  const TemporaryFolder folder;
  const std::string huge(10 << 20, 'x');
  const auto path = folder.write("huge", "first\n" + huge + "\r\n" + huge);
  const text::LineFiles files({path}, 1 << 20);
  const auto lines = read_range(files, {1, 3});
  REQUIRE(lines.size() == 2);
  CHECK((lines[0].text == huge && lines[1].text == huge));
  CHECK(lines[1].place == path.string() + ":3");
}

TEST_CASE("files that cannot be read as lines are refused by name") {
  const TemporaryFolder folder;
  CHECK_THROWS_WITH(text::LineFiles({folder / "none"}),
                    Contains("none: cannot be opened (no such file)"));
  CHECK_THROWS_WITH(text::LineFiles({folder.path()}), Contains("not a regular file"));
  const auto packed = folder.write("packed", "\x1f\x8b\x08");
  CHECK_THROWS_WITH(text::LineFiles({packed}), Contains("packed: is compressed"));
}

TEST_CASE("a file that changed since it was counted is noticed") {
  const TemporaryFolder folder;
  const auto path = folder.write("text", "a\nb\nc\n");
  const text::LineFiles files({path});
  const auto counts = files.count_lines();
  const auto visit = [](std::int64_t, std::string_view, const text::LinePlace&) {};
  folder.write("text", "a\nb\n");
  CHECK_THROWS_WITH(files.for_each_line({0, 3}, counts, visit), Contains("text: changed"));
  folder.write("text", "a\nbcd\n");
  CHECK_THROWS_WITH(files.for_each_line({0, 3}, counts, visit), Contains("text: changed"));
  CHECK_THROWS_AS(files.for_each_line({0, 4}, counts, visit), std::logic_error);
}
