#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "core/files.hpp"
#include "support/temporary_folder.hpp"
#include "text/pieces/bpe.hpp"

using namespace knnseq;
using Catch::Contains;
using text::Bpe;

namespace {

using Pieces = std::vector<std::string>;

/// A codes file; each merge followed by `ending`.
std::string codes_file(const std::string& head, const core::Json& merges,
                       const std::string& ending) {
  std::string content = head;
  for (const auto& merge : merges) content += merge.get<std::string>() + ending + "\n";
  return content;
}

void check_codes_refused(const std::string& content, const std::string& place,
                         const std::string& reason) {
  INFO(content);
  CHECK_THROWS_AS(Bpe::parse(content, "bpe.codes"), core::InputError);
  CHECK_THROWS_WITH(Bpe::parse(content, "bpe.codes"), Contains(place + ": ") && Contains(reason));
}

}  // namespace

TEST_CASE("pieces are those of subword-nmt") {
  const auto path = std::filesystem::path(KNNSEQ_SOURCE_DIR) / "tests/data/bpe.json";
  const core::Json reference = core::read_json(path);
  REQUIRE(reference.at("sets").size() == 8);
  for (const auto& set : reference.at("sets")) {
    const auto version = set.at("version").get<std::string>();
    const auto& merges = set.at("merges");
    const Bpe bpe = Bpe::parse(codes_file("#version: " + version + "\n", merges, ""), "codes");
    // Without a header subword-nmt takes version 0.1; fastBPE's files mean what 0.2 means.
    const Bpe other = version == "0.1" ? Bpe::parse(codes_file("", merges, ""), "codes")
                                       : Bpe::parse(codes_file("", merges, " 12"), "codes");
    for (const auto& row : set.at("texts")) {
      INFO(set.at("name") << " " << version << ": " << row.at("text"));
      const auto text = row.at("text").get<std::string>();
      CHECK(bpe.encode(text) == row.at("pieces").get<Pieces>());
      CHECK(other.encode(text) == row.at("pieces").get<Pieces>());
    }
  }
}

TEST_CASE("merges are applied in rounds, each everywhere in the word") {
  // "ab a" ranks before "a b", but exists only after it: both "a b" are merged first.
  const Bpe late = Bpe::parse("ab a 2\na b 1\n", "codes");
  CHECK(late.encode("ababx") == Pieces{"ab@@", "ab@@", "x"});
  CHECK(late.encode("abax") == Pieces{"aba@@", "x"});
  const Bpe overlapping = Bpe::parse("x x 1\n", "codes");
  CHECK(overlapping.encode("xxxxy xxxy") == Pieces{"xx@@", "xx@@", "y", "xx@@", "x@@", "y"});
}

TEST_CASE("codes files are read from disk, with any line ends, the first of equal lines counting") {
  const knnseq::test::TemporaryFolder folder;
  const auto path =
      folder.write("codes", "#version: 0.2\r\na b</w>\r\n b c \r\na b\r\nb c\r\na b</w>\r\n\n\n");
  const Bpe bpe(path);
  CHECK(bpe.encode("ab abc") == Pieces{"ab", "ab@@", "c"});
  CHECK(bpe.encode("abcd") == Pieces{"a@@", "bc@@", "d"});
  CHECK_THROWS_WITH(Bpe(folder / "none"), Contains("none: cannot be opened"));
}

TEST_CASE("malformed codes files are refused") {
  const std::string two = "must be two symbols with single spaces";
  const std::string three = "must be two symbols and a count with single spaces";
  check_codes_refused("", "bpe.codes", "holds no merges");
  check_codes_refused("\n\n", "bpe.codes", "holds no merges");
  check_codes_refused("#version: 0.2\n", "bpe.codes", "holds no merges");
  check_codes_refused("#version: 0.3\na b\n", "bpe.codes:1", "the version '0.3' is not known");
  check_codes_refused("#version:\na b\n", "bpe.codes:1", "the version '' is not known");
  check_codes_refused("#version: 0.2\na b\na b 5\n", "bpe.codes:3", two);
  check_codes_refused("#version: 0.2\na\n", "bpe.codes:2", two);
  check_codes_refused("#version: 0.2\na  b\n", "bpe.codes:2", two);
  check_codes_refused("a b\n\nc d\n", "bpe.codes:2", two);
  check_codes_refused("a b 5\na b\n", "bpe.codes:2", three);
  check_codes_refused("a b 5\na b x\n", "bpe.codes:2", three);
  check_codes_refused("a b 5\n#version: 0.2\n", "bpe.codes:2", three);
  check_codes_refused("a b c d\n", "bpe.codes:1", two);
  check_codes_refused("a b\na \xff\n", "bpe.codes:2", "invalid text");
  check_codes_refused(std::string("a \0\n", 4), "bpe.codes:1", "invalid text");
}

TEST_CASE("a word of any length takes little time") {
  const Bpe bpe = Bpe::parse("a b 9\nab ab 8\nabab abab 7\nb a 6\n", "codes");
  std::string word;
  for (int i = 0; i < 200'000; ++i) word += "ab";
  const auto start = std::chrono::steady_clock::now();
  CHECK(bpe.encode(word).size() == 50'003);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(20));
}
