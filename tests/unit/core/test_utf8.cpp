#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "core/utf8.hpp"

using namespace knnseq;
using namespace std::string_literals;

namespace {

/// UTF-8's formula without any check.
std::string encoded(std::uint32_t c) {
  const auto byte = [](std::uint32_t value) { return static_cast<char>(value); };
  if (c < 0x80) return {byte(c)};
  if (c < 0x800) return {byte(0xC0 | c >> 6), byte(0x80 | (c & 63))};
  if (c < 0x10000) return {byte(0xE0 | c >> 12), byte(0x80 | (c >> 6 & 63)), byte(0x80 | (c & 63))};
  return {byte(0xF0 | c >> 18), byte(0x80 | (c >> 12 & 63)), byte(0x80 | (c >> 6 & 63)),
          byte(0x80 | (c & 63))};
}

}  // namespace

TEST_CASE("every code point is valid UTF-8 and reads back, surrogates and others are not") {
  for (std::uint32_t c = 0; c < 0x120000; ++c) {
    const std::string bytes = encoded(c);
    const bool expected = c <= 0x10FFFF && !(c >= 0xD800 && c <= 0xDFFF);
    if (core::is_valid_utf8(bytes) != expected) FAIL("code point " << c);
    if (expected && core::decode_utf8(bytes) != std::u32string{static_cast<char32_t>(c)}) {
      FAIL("code point " << c << " does not read back");
    }
  }
}

TEST_CASE("malformed UTF-8 is refused, also behind a long run of ASCII") {
  const std::vector<std::string> malformed{"\x80",
                                           "\xBF",
                                           "\xC0\x80",
                                           "\xC1\xBF",
                                           "\xE0\x80\x80",
                                           "\xE0\x9F\xBF",
                                           "\xF0\x80\x80\x80",
                                           "\xF0\x8F\xBF\xBF",
                                           "\xED\xA0\x80",
                                           "\xED\xBF\xBF",
                                           "\xF4\x90\x80\x80",
                                           "\xF5\x80\x80\x80",
                                           "\xFE",
                                           "\xFF",
                                           "\xC3",
                                           "\xE2\x82",
                                           "\xF0\x9F\x98",
                                           "\xC3(",
                                           "\xE2(\xA1",
                                           "\xE2\x82(",
                                           "\xE2\x82\xAC\xAC"};
  for (const std::string& bytes : malformed) {
    CHECK_FALSE(core::is_valid_utf8(bytes));
    CHECK_FALSE(core::is_valid_utf8("sixteen bytes --" + bytes + "and as many more"));
    CHECK_THROWS_AS(core::decode_utf8(bytes), core::InputError);
  }
  CHECK(core::is_valid_utf8(""));
  CHECK(core::is_valid_utf8("plain ASCII, longer than one block, \xE2\x82\xAC and more"));
}

TEST_CASE("text is valid UTF-8 without NUL") {
  CHECK(core::is_valid_text("Straße"));
  CHECK_FALSE(core::is_valid_text("a\0b"s));
  CHECK_FALSE(core::is_valid_text("\xFF"));
}

TEST_CASE("white space is Python's") {
  CHECK(core::strip("\u3000\u0085 a b\u2029\x1c") == "a b");
  CHECK(core::strip(" \u2009 ").empty());
  CHECK(core::strip_end(" a\u00a0") == " a");
  CHECK(core::strip("\u200bx\ufeff") == "\u200bx\ufeff");
  CHECK(core::split_words("\u3000a\u2028\u2028bß \x1f c") ==
        std::vector<std::string_view>{"a", "bß", "c"});
  CHECK(core::split_words(" \t").empty());
  int count = 0;
  for (char32_t c = 0; c < 0x110000; ++c) count += core::is_white_space(c) ? 1 : 0;
  CHECK(count == 29);
}
