#include <catch2/catch.hpp>

#include "stages/evaluate/report.hpp"

using namespace knnseq;
using Catch::Matchers::Contains;

namespace {

stages::ScoredDecoding scored(const std::string& name, const std::vector<std::string>& lines) {
  const std::vector<std::string> references = {"the cat sat on the mat", "a dog ran home",
                                               "it rains again today"};
  stages::ScoredDecoding decoding;
  decoding.name = name;
  decoding.test_set = "one";
  for (std::size_t i = 0; i < lines.size(); ++i) {
    decoding.bleu.push_back(metrics::bleu_statistics(lines[i], references[i]));
    decoding.chrf.push_back(metrics::chrf_statistics(lines[i], references[i]));
    decoding.translations += lines[i] + "\n";
  }
  return decoding;
}

}  // namespace

TEST_CASE("identical translations are called so, with p-values of 1") {
  const std::vector<std::string> lines = {"the cat sat on a mat", "a dog ran", "it rains today"};
  auto other = lines;
  other[2] = "it rains again today";
  const std::vector<stages::ScoredDecoding> decodings = {
      scored("base", lines), scored("again", lines), scored("other", other)};
  stages::EvaluateOptions options;
  options.baseline = "base";
  options.resamples = 50;
  const auto systems = stages::compare_systems(decodings, options);
  CHECK_FALSE(systems[0].identical);
  CHECK_FALSE(systems[0].bleu.p_value);
  CHECK(systems[1].identical);
  CHECK(systems[1].bleu.p_value == 1.0);
  CHECK(systems[1].chrf.p_value == 1.0);
  CHECK_FALSE(systems[2].identical);
  CHECK(systems[2].bleu.p_value.value() < 1);

  const auto table = stages::comparison_table(systems, options);
  CHECK_THAT(table, Contains("| 1 (identical) |") && Contains("Identical: byte for byte"));
  CHECK_THAT(stages::comparison_table({systems[0], systems[2]}, options), !Contains("dentical"));
  CHECK_THAT(stages::comparison_csv(systems),
             Contains(",settings,identical\n") && Contains(",true\n"));
  const auto scores = stages::comparison_json(systems, options).at("scores");
  CHECK(scores[1].at("identical") == true);
  CHECK(scores[1].at("bleu").at("p_value") == 1.0);
  CHECK_FALSE(scores[2].contains("identical"));

  options.resamples = 0;
  const auto plain = stages::compare_systems(decodings, options);
  CHECK(plain[1].identical);
  CHECK_FALSE(plain[1].bleu.p_value);
}
