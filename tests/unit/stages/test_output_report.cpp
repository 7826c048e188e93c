// What decode says of its translations beside their text.
#include <catch2/catch.hpp>

#include "stages/decode/output_report.hpp"

using namespace knnseq;
using stages::OutputReport;

TEST_CASE("translations that came to their greatest length are counted") {
  const search::BeamOptions options{.max_length_a = 0.5, .max_length_b = 10};
  OutputReport report{.translations = 4};
  report.count_length(options, 8, 100, 14);  // 14 tokens and EOS are the most
  report.count_length(options, 9, 100, 14);
  CHECK(report.cut == 0);
  CHECK(report.warnings(options, 100).empty());
  report.count_length(options, 8, 100, 15);
  CHECK(report.warnings(options, 100) ==
        std::vector<std::string>{
            "1 of 4 translations (25.0 %) were cut: they came to their greatest length; raise "
            "beam_search.max_length_a (0.5) or max_length_b (10)"});
  report.count_length(options, 90, 40, 40);  // 39 tokens are what the model has positions for
  CHECK(report.cut == 2);
  CHECK(report.cut_by_positions == 1);
  CHECK(report.warnings({.max_length_b = 10}, 40) ==
        std::vector<std::string>{
            "2 of 4 translations (50.0 %) were cut: they came to their greatest length; raise "
            "beam_search.max_length_b (10); 1 at the model's 40 positions, which no setting "
            "raises: split such sentences"});
}

TEST_CASE("mended translations are counted") {
  const OutputReport report{.translations = 2000, .mended = 1000};
  const auto warnings = report.warnings({}, 512);
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0].starts_with("1,000 of 2,000 translations (50.0 %) were no single line"));
}
