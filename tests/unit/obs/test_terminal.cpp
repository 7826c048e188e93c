#include <catch2/catch.hpp>

#include "core/utf8.hpp"
#include "obs/table.hpp"
#include "obs/terminal.hpp"

using namespace knnseq;

TEST_CASE("Text stays what it is") {
  for (const std::string text :
       {"", "plain", "Häuser, 日本語 and 🙂, zero-width\u200djoiners too", "C:\\new\\x1b",
        "a\u00a0b"}) {
    CHECK(obs::printable(text) == text);
    CHECK(obs::printable_lines(text) == text);
  }
}

TEST_CASE("A terminal obeys nothing that is printed") {
  CHECK(obs::printable("\x1b[2J\x1b]0;title\x07") == "\\x1b[2J\\x1b]0;title\\x07");
  CHECK(obs::printable(std::string("a\0b", 3)) == "a\\x00b");
  CHECK(obs::printable("one\rtwo\nthree\tfour\x7f") == "one\\rtwo\\nthree\\tfour\\x7f");
  CHECK(obs::printable("\u009b31m") == "\\x9b31m");  // CSI in one character
  CHECK(obs::printable("\u202etxt.exe\u2066") == "\\u202etxt.exe\\u2066");
  CHECK(obs::printable("a\u2028b\u2029c\u0085d") == "a\\u2028b\\u2029c\\x85d");
  CHECK(obs::printable("\xff\xe2\x82") == "\\xff\\xe2\\x82");
  CHECK(obs::printable_lines("one\ntwo\r\n\x1b[1m\n") == "one\ntwo\\r\n\\x1b[1m\n");
}

TEST_CASE("JSON stays JSON of the same value") {
  CHECK(obs::printable_json("{\n \"a\": \"ä\\n\x7f\u202e\"}") ==
        "{\n \"a\": \"ä\\n\\u007f\\u202e\"}");
}

TEST_CASE("Whatever the bytes, what is printed is one line of valid UTF-8") {
  std::string all;
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      all += static_cast<char>(first);
      all += static_cast<char>(second);
    }
  }
  const std::string text = obs::printable(all);
  CHECK(core::is_valid_utf8(text));
  CHECK(obs::printable(text) == text);
  CHECK(text.find_first_of(std::string("\0\n\r\x1b\x7f", 5)) == std::string::npos);
}

TEST_CASE("A cell of a table makes no row of its own") {
  CHECK(obs::markdown_table({{"name", "n"}, {"a\nb\x1b", "1"}}, 1, 2) ==
        "| name     |   n |\n|----------|----:|\n| a\\nb\\x1b |   1 |\n");
}
