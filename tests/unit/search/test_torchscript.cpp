// TorchScript models against a plain search over transformers' log-probs in float64.
#include <catch2/catch.hpp>

#include "search/beam_search.hpp"
#include "support/torchscript_models.hpp"

namespace knnseq::search {

namespace {

void check_cases(const test::TorchscriptFixture& fixture) {
  INFO(fixture.folder);
  const std::vector<std::vector<core::TokenId>> sources = fixture.beam.at("sources");
  for (const core::Json& one : fixture.beam.at("cases")) {
    const BeamOptions options{.beam = one.at("beam"),
                              .length_penalty = one.at("length_penalty"),
                              .max_length_a = one.at("max_length_a"),
                              .max_length_b = one.at("max_length_b"),
                              .nbest = one.at("nbest"),
                              .key = fixture.key};
    const auto made = beam_search(*fixture.model, sources, options);
    for (std::size_t i = 0; i < sources.size(); ++i) {
      const core::Json& expected = one.at("results").at(i);
      INFO("sentence " << i << ", beam " << options.beam);
      REQUIRE(made[i].size() == expected.size());
      for (std::size_t rank = 0; rank < expected.size(); ++rank) {
        const core::Json& hypothesis = expected[rank];
        CHECK(made[i][rank].tokens == hypothesis.at("tokens").get<std::vector<core::TokenId>>());
        CHECK(made[i][rank].score == Approx(hypothesis.at("score").get<double>()).margin(1e-4));
      }
    }
  }
}

}  // namespace

TEST_CASE("beam search over TorchScript models agrees with transformers", "[search]") {
  check_cases(test::mbart());
  check_cases(test::t5());
}

}  // namespace knnseq::search
