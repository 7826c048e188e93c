#include <string>

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "fixture.hpp"
#include "metrics/tokenizer_13a.hpp"

using namespace knnseq;
using namespace std::string_literals;

namespace {

std::string joined(std::string_view line) {
  std::string result;
  for (const std::string& token : metrics::tokenize_13a(line)) {
    result += (result.empty() ? "" : " ") + token;
  }
  return result;
}

}  // namespace

TEST_CASE("13a tokens are sacrebleu's") {
  for (const std::string name : {"hypotheses", "references"}) {
    const auto lines = metrics_lines(name + ".txt");
    const auto expected = metrics_lines(name + ".13a.txt");
    REQUIRE(lines.size() == expected.size());
    REQUIRE(lines.size() > 200);
    for (std::size_t i = 0; i < lines.size(); ++i) {
      INFO(name << " line " << i + 1);
      CHECK(joined(lines[i]) == expected[i]);
    }
  }
}

TEST_CASE("13a: newlines, markers that appear by removal, and bad bytes") {
  CHECK(joined("hy-\nphen\nline") == "hyphen line");
  CHECK(joined("&am<skipped>p;lt;x") == "< x");
  CHECK(joined("-<skipped>\nx") == "x");
  CHECK(joined("\0a\u3000b"s) == "\0a b"s);
  CHECK(metrics::tokenize_13a("").empty());
  CHECK(metrics::tokenize_13a(" \u2028 ").empty());
  CHECK_THROWS_AS(metrics::tokenize_13a("\xFF"), core::InputError);
}
