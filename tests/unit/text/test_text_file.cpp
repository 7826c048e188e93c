#include <string>
#include <vector>

#include <bzlib.h>
#include <catch2/catch.hpp>
#include <lzma.h>
#include <zstd.h>

#include "core/error.hpp"
#include "core/files.hpp"
#include "support/temporary_folder.hpp"
#include "text/files/encode_gzip.hpp"
#include "text/files/read_lines.hpp"
#include "text/files/text_file.hpp"

using knnseq::test::TemporaryFolder;

using namespace knnseq;
using Catch::Contains;

namespace {

// One member, stream or frame of each format, made by our own encoder or the libraries'.

std::string gzipped(const std::string& text) { return text::encode_gzip(text); }

std::string bzipped(const std::string& text) {
  auto size = static_cast<unsigned>(text.size() + text.size() / 100 + 600);
  std::string packed(size, '\0');
  REQUIRE(BZ2_bzBuffToBuffCompress(packed.data(), &size, const_cast<char*>(text.data()),
                                   static_cast<unsigned>(text.size()), 1, 0, 0) == BZ_OK);
  packed.resize(size);
  return packed;
}

std::string xzipped(const std::string& text) {
  std::string packed(lzma_stream_buffer_bound(text.size()), '\0');
  std::size_t size = 0;
  REQUIRE(lzma_easy_buffer_encode(0, LZMA_CHECK_CRC64, nullptr,
                                  reinterpret_cast<const std::uint8_t*>(text.data()), text.size(),
                                  reinterpret_cast<std::uint8_t*>(packed.data()), &size,
                                  packed.size()) == LZMA_OK);
  packed.resize(size);
  return packed;
}

std::string zstandard(const std::string& text) {
  std::string packed(ZSTD_compressBound(text.size()), '\0');
  ZSTD_CCtx* const context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
  const auto size = ZSTD_compress2(context, packed.data(), packed.size(), text.data(), text.size());
  ZSTD_freeCCtx(context);
  REQUIRE(ZSTD_isError(size) == 0);
  packed.resize(size);
  return packed;
}

struct Format {
  const char* name;
  std::string (*pack)(const std::string& text);
};
const std::vector<Format> formats = {
    {"gzip", gzipped}, {"bzip2", bzipped}, {"xz", xzipped}, {"zstd", zstandard}};

std::string some_text(int lines) {
  std::string text;
  for (int i = 0; i < lines; ++i) text += "line " + std::to_string(i % 10007 * 7919 % 10007) + "\n";
  return text;
}

/// All of the file, `step` bytes at a time.
std::string read_all(const std::filesystem::path& path, std::size_t step) {
  const auto file = text::open_text(path);
  std::string content;
  std::string block(step, '\0');
  while (const std::size_t count = file->read(block)) content.append(block, 0, count);
  return content;
}

}  // namespace

TEST_CASE("compressed files of one and of several members are unpacked whole") {
  const TemporaryFolder folder;
  const std::string text = some_text(200000);  // several blocks
  for (const auto& [name, pack] : formats) {
    INFO(name);
    const auto one = folder.write("a.txt", pack(text));  // the name says nothing
    CHECK(text::is_compressed(one));
    text::unpack_text(one, folder / "out");
    CHECK(core::read_file(folder / "out") == text);

    // As cat, pigz, pbzip2 and xz -T write them, with what fills up a tape's block.
    const auto many = folder.write(
        "b.txt", pack(text) + pack("second\n") + pack("") + std::string(512, '\0') + pack("third"));
    for (const std::size_t step : {std::size_t{1} << 20, std::size_t{997}}) {
      CHECK(read_all(many, step) == text + "second\nthird");
    }
    CHECK(read_all(folder.write("empty", pack("")), 10).empty());
    CHECK(text::read_lines(folder.write("lines", pack("eins\nzwei"))) ==
          std::vector<std::string>{"eins", "zwei"});
  }
}

TEST_CASE("frames of zstd that are to be skipped are skipped") {
  const TemporaryFolder folder;
  const std::string skipped("\x5A\x2A\x4D\x18\x03\0\0\0abc", 11);
  const auto path = folder.write("a", skipped + zstandard("text\n") + skipped);
  CHECK(read_all(path, 100) == "text\n");
}

TEST_CASE("a compressed file that is cut anywhere or damaged is an error, and leaves no output") {
  const TemporaryFolder folder;
  for (const auto& [name, pack] : formats) {
    INFO(name);
    const std::string bytes = pack(some_text(2000));
    for (const std::size_t size :
         {std::size_t{12}, std::size_t{20}, bytes.size() / 2, bytes.size() - 4, bytes.size() - 1}) {
      const auto path = folder.write("cut", bytes.substr(0, size));
      CHECK_THROWS_WITH(text::unpack_text(path, folder / "out"),
                        Contains("cut: " + std::string(name) + " file is truncated"));
      CHECK_FALSE(std::filesystem::exists(folder / "out"));
    }
    for (const std::size_t at : {bytes.size() / 2, bytes.size() - 6}) {
      std::string damaged = bytes;
      damaged[at] ^= 1;
      CHECK_THROWS_WITH(text::unpack_text(folder.write("bad", damaged), folder / "out"),
                        Contains("bad: " + std::string(name) + " file is damaged"));
    }
    // What follows would be lost silently.
    CHECK_THROWS_WITH(read_all(folder.write("tail", bytes + "plain text, more of it\n"), 1 << 20),
                      Contains("tail: " + std::string(name) + " file is damaged"));
  }
}

TEST_CASE("what is not compressed is told by its bytes, whatever its name") {
  const TemporaryFolder folder;
  for (const char* content : {"", "\x1f", "text\n", "BZh9 is what it says\n", "P*M"}) {
    const auto path = folder.write("name.gz", content);
    CHECK_FALSE(text::is_compressed(path));
    CHECK(read_all(path, 7) == content);
  }
  CHECK_THROWS_WITH(text::is_compressed(folder / "none"), Contains("none"));
  CHECK_THROWS_AS(text::is_compressed(folder.path()), core::InputError);
}

TEST_CASE("what is no text is recognised, also inside of a compressed file") {
  const TemporaryFolder folder;
  const std::string zip("PK\x03\x04\x14\0\0\0", 8);
  CHECK_THROWS_WITH(text::open_text(folder.write("a", zip)), Contains("a: is a zip archive"));
  CHECK_THROWS_WITH(text::open_text(folder.write("a", gzipped(zip))),
                    Contains("a: holds what is a zip archive"));
  CHECK_THROWS_WITH(text::open_text(folder.write("a", xzipped(gzipped("text")))),
                    Contains("a: holds what is compressed by gzip"));
}

TEST_CASE("text that stands for more memory than there may be is refused in time") {
  const TemporaryFolder folder;
  const text::TextLimits limits{.line_bytes = 10, .bytes = 100, .lines = 30};
  const auto lines = [&](const std::string& content) {
    return text::read_lines(folder.write("a", content), limits).size();
  };
  const std::string ten(10, 'x');
  CHECK(lines(ten + "\r\n" + ten) == 2);
  CHECK_THROWS_WITH(lines("one\n" + ten + "x\n"), Contains("a:2: the line has more than 10 bytes"));
  CHECK_THROWS_WITH(lines(std::string(200'000, 'x')), Contains("a:1: the line has more than"));
  CHECK(lines(std::string(30, '\n')) == 30);
  CHECK_THROWS_WITH(lines(std::string(31, '\n')), Contains("a:31: here the text has more than 30"));
  std::string many;
  for (int i = 0; i < 11; ++i) many += ten + "\n";
  CHECK_THROWS_WITH(lines(many), Contains("a:11: here the text has more than"));
  // Some kilobytes that stand for 300 MB in one line: only the limit's share is ever held.
  CHECK_THROWS_WITH(text::read_lines(folder.write("bomb", bzipped(std::string(300'000'000, 'x')))),
                    Contains("bomb:1: the line has more than 1048576 bytes"));
}
