#include <string>

#include <catch2/catch.hpp>
#include <zlib.h>

#include "core/error.hpp"
#include "core/files.hpp"
#include "support/temporary_folder.hpp"
#include "text/gzip.hpp"

using knnseq::test::TemporaryFolder;

using namespace knnseq;
using Catch::Contains;

namespace {

void append_member(const std::filesystem::path& path, const std::string& content) {
  const gzFile file = gzopen(path.c_str(), "ab");
  REQUIRE(file != nullptr);
  gzwrite(file, content.data(), static_cast<unsigned>(content.size()));
  REQUIRE(gzclose(file) == Z_OK);
}

std::string some_text(int lines) {
  std::string text;
  for (int i = 0; i < lines; ++i) text += "line " + std::to_string(i % 10007 * 7919 % 10007) + "\n";
  return text;
}

}  // namespace

TEST_CASE("gzip files of one and of several members are unpacked whole") {
  const TemporaryFolder folder;
  const std::string text = some_text(300000);  // several blocks
  append_member(folder / "a.txt", text);       // the name says nothing
  CHECK(text::is_gzip_file(folder / "a.txt"));
  text::gunzip_file(folder / "a.txt", folder / "out");
  CHECK(core::read_file(folder / "out") == text);

  append_member(folder / "a.txt", "second\n");
  append_member(folder / "a.txt", "");
  text::gunzip_file(folder / "a.txt", folder / "out");
  CHECK(core::read_file(folder / "out") == text + "second\n");
}

TEST_CASE("a gzip file that is cut anywhere or damaged is an error, and leaves no output") {
  const TemporaryFolder folder;
  append_member(folder / "whole.gz", some_text(2000));
  const std::string bytes = core::read_file(folder / "whole.gz");
  for (std::size_t size : {std::size_t{2}, std::size_t{5}, std::size_t{10}, std::size_t{11},
                           bytes.size() / 2, bytes.size() - 8, bytes.size() - 1}) {
    const auto path = folder.write("cut.gz", bytes.substr(0, size));
    CHECK_THROWS_WITH(text::gunzip_file(path, folder / "out"),
                      Contains("cut.gz") && Contains("truncated"));
    CHECK_FALSE(std::filesystem::exists(folder / "out"));
  }
  std::string damaged = bytes;
  damaged[damaged.size() - 6] ^= 1;  // the checksum
  CHECK_THROWS_WITH(text::gunzip_file(folder.write("bad.gz", damaged), folder / "out"),
                    Contains("bad.gz") && Contains("damaged"));
}

TEST_CASE("what is not gzip is refused by its bytes, whatever its name") {
  const TemporaryFolder folder;
  for (const char* content : {"", "\x1f", "text\n"}) {
    const auto path = folder.write("name.gz", content);
    CHECK_FALSE(text::is_gzip_file(path));
    CHECK_THROWS_AS(text::gunzip_file(path, folder / "out"), core::InputError);
  }
  CHECK_THROWS_WITH(text::is_gzip_file(folder / "none"), Contains("none"));
  CHECK_THROWS_AS(text::is_gzip_file(folder.path()), core::InputError);
}
