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
  decoding.sentences = std::ssize(lines);
  for (const auto& line : lines) decoding.translations += line + "\n";
  for (const auto& kind : core::all_names<stages::ScoreKind>()) {
    decoding.scores.push_back(
        stages::score_of(*core::value_named<stages::ScoreKind>(kind), {}, {lines, references}));
  }
  return decoding;
}

}  // namespace

TEST_CASE("settings and speeds are told where they differ") {
  const std::vector<std::string> lines = {"the cat sat on a mat", "a dog ran", "it rains today"};
  auto base = scored("base", lines);
  base.kind = "base";
  base.settings = {{"beam", "5", true}, {"length penalty", "1", true}};
  auto one = scored("one", lines);
  one.kind = "kNN";
  one.settings = {{"k", "8"}, {"nprobe", "4"}, {"backend", "knnseq", true}, {"beam", "5", true}};
  auto two = one;
  two.name = "two";
  two.settings[2].value = "faiss";
  for (auto* decoding : {&base, &one, &two}) {
    decoding->tokens_per_second = 10;
    decoding->machine = {2, 1, "cpu", "A"};
  }
  stages::EvaluateOptions options;
  options.resamples = 0;
  const auto table_of = [&](const std::vector<stages::ScoredDecoding>& decodings) {
    return stages::comparison_table(stages::compare_systems(decodings, options), options);
  };
  const auto table = table_of({base, one, two});
  CHECK_THAT(table, Contains("| base  ") && Contains("| kNN: k 8, nprobe 4, backend knnseq |"));
  CHECK_THAT(table, Contains("| kNN: k 8, nprobe 4, backend faiss  |") && Contains("2 × 1 |"));
  CHECK_THAT(table, !Contains("do not compare"));
  CHECK_THAT(table_of({base, one}), Contains("| kNN: k 8, nprobe 4 |"));
  for (const auto& machine : {stages::DecodingMachine{4, 1, "cpu", "A"},
                              {2, 2, "cpu", "A"},
                              {2, 1, "cuda", "A"},
                              {2, 1, "cpu", "B"}}) {
    two.machine = machine;
    CHECK_THAT(table_of({base, one, two}), Contains("Tokens/s do not compare"));
  }
  CHECK_THAT(stages::comparison_csv(stages::compare_systems({base, two}, options)),
             Contains(",10.000,2,1,cpu,B,\"kNN: k 8"));
}

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
  CHECK_FALSE(systems[0].score("bleu")->p_value);
  CHECK(systems[1].identical);
  for (const char* score : {"bleu", "chrf", "chrf++", "ter"}) {
    CHECK(systems[1].score(score)->p_value == 1.0);
  }
  CHECK_FALSE(systems[2].identical);
  CHECK(systems[2].score("bleu")->p_value.value() < 1);
  CHECK(systems[2].score("ter")->score < systems[0].score("ter")->score);

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
  CHECK_FALSE(plain[1].score("bleu")->p_value);
}
