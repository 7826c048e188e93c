// TorchScript models against a plain search over transformers' log-probs in float64.
#include <catch2/catch.hpp>

#include "beam_cases.hpp"
#include "search/beam_search.hpp"
#include "support/torchscript_models.hpp"

namespace knnseq::search {

namespace {

void check_cases(const test::TorchscriptFixture& fixture) {
  INFO(fixture.folder);
  const std::vector<std::vector<core::TokenId>> sources = fixture.beam.at("sources");
  for (const core::Json& one : fixture.beam.at("cases")) {
    const BeamOptions options = testing::options_of(one, fixture.key);
    const auto made = beam_search(*fixture.model, sources, options);
    for (std::size_t i = 0; i < sources.size(); ++i) {
      INFO("sentence " << i << ", beam " << options.beam);
      testing::check_same(made[i], one.at("results").at(i));
    }
  }
}

}  // namespace

TEST_CASE("beam search over TorchScript models agrees with transformers", "[search]") {
  check_cases(test::mbart());
  check_cases(test::t5());
}

}  // namespace knnseq::search
