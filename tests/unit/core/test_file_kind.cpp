#include <string>

#include <catch2/catch.hpp>

#include "core/file_kind.hpp"

using namespace knnseq;
using std::string_literals::operator""s;

namespace {

/// ASCII and CJK text in UTF-16 or UTF-32, without a mark.
std::string encoded_as(const std::u32string& text, int bytes, bool little) {
  std::string made;
  for (const char32_t c : text) {
    for (int i = 0; i < bytes; ++i) {
      const int place = little ? i : bytes - 1 - i;
      made.push_back(static_cast<char>(c >> (8 * place)));
    }
  }
  return made;
}

std::u32string repeated(const std::u32string& line, int times) {
  std::u32string text;
  for (int i = 0; i < times; ++i) text += line;
  return text;
}

bool says(const std::optional<std::string>& description, const std::string& part) {
  return description && description->find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("kinds of files are told by their first bytes") {
  const auto is = [](const std::string& head, const std::string& what) {
    return says(core::describe_foreign(head), what) &&
           says(core::describe_foreign_text(head), what);
  };
  CHECK(is("PK\x03\x04 and so on", "zip archive; unpack it first"));
  CHECK(is("7z\xBC\xAF\x27\x1C..", "7z archive"));
  CHECK(is(std::string(257, 'x') + "ustar\00000", "tar archive"));
  CHECK(is("\x1F\x8B\x08", "gzip"));
  CHECK(is("\xFD\x37zXZ\0\0"s, "xz"));
  CHECK(is("\x28\xB5\x2F\xFD.", "zstd"));
  CHECK(is("BZh61AY&SY", "bzip2"));
  CHECK(is("\x89HDF\r\n\x1A\n", "HDF5"));
  CHECK(is("\x7F\x45LF\x02", "program"));
  CHECK(is("%PDF-1.7", "PDF"));
  CHECK(is("PAR1\x15\x04", "Parquet"));
  CHECK(is("\x80\x02}q\x01", "pickle"));
  CHECK(is("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"));
  CHECK(is(" \n<!DOCTYPE HTML>\n", "web page"));
  CHECK(is("\xFF\xFE" + encoded_as(U"Text\n", 2, true), "UTF-16, and must be UTF-8; convert it"));
  CHECK(is("\xFE\xFF" + encoded_as(U"Text\n", 2, false), "iconv -f UTF-16 -t UTF-8"));
  CHECK(is("\xFF\xFE\0\0"s + encoded_as(U"Text\n", 4, true), "UTF-32"));
}

TEST_CASE("text in other encodings is told without a mark") {
  for (const std::u32string line :
       {U"Ein Satz.\n", U"漢字かな交じり文、十二字\n", U"Привет, мир и все\n"}) {
    const auto text = repeated(line, 50);
    CHECK(says(core::describe_foreign_text(encoded_as(text, 2, true)), "iconv -f UTF-16LE"));
    CHECK(says(core::describe_foreign_text(encoded_as(text, 2, false)), "iconv -f UTF-16BE"));
    CHECK(says(core::describe_foreign_text(encoded_as(text, 4, true)), "UTF-32LE"));
    CHECK(says(core::describe_foreign_text(encoded_as(text, 4, false)), "UTF-32BE"));
  }
  CHECK(says(core::describe_foreign_text(std::string(4096, '\0')), "full of NUL"));
  CHECK(says(core::describe_foreign_text("one\rtwo\rthree\r"), "carriage returns alone"));
}

TEST_CASE("text is text, whatever single bytes it holds") {
  std::string long_text;
  for (int i = 0; i < 2000; ++i) long_text += "a line that is text\n";
  for (const std::string& text :
       {""s, "\n"s, "a\0b\n"s, "\xFF\n"s, "one\r\ntwo\r\n"s, "a\rb\nc"s, "text\r\r\r"s, "a\rb"s,
        "<html> is a tag\n"s, "BZh9\n"s, "PAR1 is a name\n"s, "\xEF\xBB\xBFmarked\n"s,
        "Grüße\n漢字\n"s, long_text + std::string(8, '\0')}) {
    INFO(text.substr(0, 20));
    CHECK_FALSE(core::describe_foreign_text(text));
  }
  CHECK(says(core::describe_foreign("<html> is no JSON"), "web page"));
}
