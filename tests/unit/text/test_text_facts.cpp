#include <set>

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include "core/error.hpp"
#include "support/temporary_folder.hpp"
#include "text/files/text_facts.hpp"

using namespace knnseq;

TEST_CASE("lines and bytes of a text") {
  const test::TemporaryFolder folder;
  const auto facts = text::read_text_facts(folder.write("a", "one\r\nz\xC3\xA4hl\n\nend"), 10);
  CHECK(facts.lines == 4);
  CHECK(facts.bytes == 3 + 5 + 0 + 3);
  CHECK(facts.beyond_ascii == 1);
  CHECK(facts.invalid == 0);
  CHECK(facts.sample == std::vector<std::string>{"one", "z\xC3\xA4hl", "", "end"});
  CHECK_FALSE(facts.is_otherwise_encoded());
  CHECK(text::read_text_facts(folder.write("empty", ""), 10).lines == 0);
  CHECK_THROWS_AS(text::read_text_facts(folder / "none", 1), core::InputError);
}

TEST_CASE("a text in another encoding is told from one with damaged lines") {
  const test::TemporaryFolder folder;
  const auto facts_of = [&](const std::string& text) {
    return text::read_text_facts(folder.write("a.de", text), 0);
  };
  const auto latin = facts_of("gut\nsch\xF6n\nHaus\ngr\xFC\xDF\n");
  CHECK(latin.is_otherwise_encoded());
  CHECK(latin.first_invalid == 2);
  CHECK(text::describe_encoding("a.de", latin) ==
        "a.de:2: the text is not UTF-8, as 2 of its 4 lines show; it seems to be LATIN1: convert "
        "it with iconv -f LATIN1 -t UTF-8");
  CHECK(facts_of("sch\xF6n \x80 5\n").likely_encoding() == "WINDOWS-1252");
  CHECK(facts_of(std::string("a\0b\n", 4)).likely_encoding().empty());
  // One damaged line among others that are UTF-8, or in a long English text.
  CHECK_FALSE(facts_of("sch\xF6n\nsch\xC3\xB6n\n").is_otherwise_encoded());
  std::string english = "caf\xE9\n";
  for (int i = 0; i < 200; ++i) english += "coffee\n";
  CHECK_FALSE(facts_of(english).is_otherwise_encoded());
}

TEST_CASE("the sample is drawn from all of the text") {
  const test::TemporaryFolder folder;
  std::string lines;
  for (int i = 0; i < 10000; ++i) lines += fmt::format("{}\n", i);
  const auto facts = text::read_text_facts(folder.write("a", lines), 1000);
  double mean = 0;
  std::set<std::string> different(facts.sample.begin(), facts.sample.end());
  for (const auto& line : facts.sample) mean += std::stod(line) / 1000;
  CHECK(different.size() == 1000);
  CHECK(mean == Approx(5000).margin(5 * 2887 / 31.6));  // five standard errors
}
