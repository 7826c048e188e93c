#include <string>

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "support/temporary_folder.hpp"
#include "text/pieces/fairseq_dictionary.hpp"

using namespace knnseq;
using Catch::Contains;
using text::FairseqDictionary;

namespace {

void check_dictionary_refused(const std::string& content, int line, const std::string& reason) {
  INFO(content);
  CHECK_THROWS_AS(FairseqDictionary::parse(content, "dict.txt"), core::InputError);
  CHECK_THROWS_WITH(FairseqDictionary::parse(content, "dict.txt"),
                    Contains("dict.txt:" + std::to_string(line) + ": ") && Contains(reason));
}

}  // namespace

TEST_CASE("symbols are numbered after the four special ones") {
  const knnseq::test::TemporaryFolder folder;
  const auto path = folder.write("dict.de.txt", "der 120\nHäu@@ 7\n\u2581x 0\nmadeupword0000 0\n");
  const FairseqDictionary dictionary(path);
  CHECK(dictionary.size() == 8);
  CHECK(dictionary.symbol(FairseqDictionary::bos) == "<s>");
  CHECK(dictionary.symbol(FairseqDictionary::pad) == "<pad>");
  CHECK(dictionary.symbol(FairseqDictionary::eos) == "</s>");
  CHECK(dictionary.symbol(FairseqDictionary::unk) == "<unk>");
  CHECK(dictionary.symbol(5) == "Häu@@");
  CHECK(dictionary.id("der") == 4);
  CHECK(dictionary.id("\u2581x") == 6);
  CHECK(dictionary.id("madeupword0000") == 7);
  CHECK(dictionary.id("</s>") == 2);
  CHECK(dictionary.id("die") == FairseqDictionary::unk);
  CHECK(dictionary.id("") == FairseqDictionary::unk);
  CHECK_THROWS_AS(dictionary.symbol(8), std::logic_error);
  CHECK_THROWS_AS(dictionary.symbol(-1), std::logic_error);
  CHECK_THROWS_WITH(FairseqDictionary(folder / "none.txt"), Contains("none.txt: cannot be opened"));
}

TEST_CASE("lines are taken apart as fairseq does") {
  const auto dictionary = FairseqDictionary::parse(
      "a b 1\r\nc -2\rd +3 \t\ne\u00a0f 4\n# 5\n#fairseq:overwrite 6\n\ufeffg 7", "dict.txt");
  CHECK(dictionary.size() == 11);
  CHECK(dictionary.id("a b") == 4);
  CHECK(dictionary.id("c") == 5);
  CHECK(dictionary.id("d") == 6);
  CHECK(dictionary.id("e\u00a0f") == 7);
  CHECK(dictionary.id("#") == 8);
  CHECK(dictionary.id("#fairseq:overwrite") == 9);
  CHECK(dictionary.id("\ufeffg") == 10);
  CHECK(FairseqDictionary::parse("", "dict.txt").size() == 4);
}

TEST_CASE("a flagged symbol gets a new id and keeps the old one's place") {
  const auto dictionary = FairseqDictionary::parse(
      "a 9\nb 8\na 7 #fairseq:overwrite\n</s> 6 #fairseq:overwrite\n", "dict.txt");
  CHECK(dictionary.size() == 8);
  CHECK(dictionary.id("a") == 6);
  CHECK(dictionary.symbol(4) == "a");
  CHECK(dictionary.symbol(6) == "a");
  CHECK(dictionary.id("</s>") == 7);
}

TEST_CASE("malformed dictionary lines are named") {
  check_dictionary_refused("a 1\nb\n", 2, "must be a symbol, a space and its count");
  check_dictionary_refused("a 1\n\nb 1\n", 2, "must be a symbol, a space and its count");
  check_dictionary_refused("a #fairseq:overwrite\n", 1, "must be a symbol, a space and its count");
  check_dictionary_refused("a\t1\n", 1, "must be a symbol, a space and its count");
  check_dictionary_refused("a 1.5\n", 1, "the count '1.5' is not an integer");
  check_dictionary_refused("a 1\r\nb x #fairseq:overwrite\n", 2, "the count 'x' is not an integer");
  check_dictionary_refused("a -\n", 1, "the count '-' is not an integer");
  check_dictionary_refused(" 1\n", 1, "the symbol is empty");
  check_dictionary_refused("a 1\nb 1\na 2\n", 3, "the symbol 'a' is there already");
  check_dictionary_refused("<pad> 1\n", 1, "the symbol '<pad>' is there already");
  check_dictionary_refused("a 1\n\xff 1\n", 2, "invalid text");
  check_dictionary_refused(std::string("a\0b 1\n", 6), 1, "invalid text");
}
