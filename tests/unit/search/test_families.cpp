// Every family against a plain search over its framework's log-probs.
#include <catch2/catch.hpp>

#include "search/beam_search.hpp"
#include "support/family_models.hpp"

namespace knnseq::search {

namespace {

void check_same(const std::vector<Hypothesis>& made, const core::Json& expected) {
  REQUIRE(made.size() == expected.size());
  for (std::size_t rank = 0; rank < made.size(); ++rank) {
    INFO("rank " << rank);
    CHECK(made[rank].tokens == expected[rank].at("tokens").get<std::vector<core::TokenId>>());
    CHECK(made[rank].score == Approx(expected[rank].at("score").get<double>()).margin(1e-4));
  }
}

}  // namespace

TEST_CASE("every family's beam search, in batches of 1 and 32", "[search]") {
  for (const auto& folder : test::family_folders()) {
    DYNAMIC_SECTION(folder.filename().string()) {
      const test::FamilyModel family(folder);
      const std::vector<std::vector<core::TokenId>> sources = family.beam.at("sources");
      REQUIRE(sources.size() == 32);
      for (const core::Json& one : family.beam.at("cases")) {
        BeamOptions options;
        options.beam = one.at("beam");
        options.length_penalty = one.at("length_penalty");
        options.nbest = one.at("nbest");
        options.max_length_a = one.at("max_length_a");
        options.max_length_b = one.at("max_length_b");
        INFO("beam " << options.beam << ", length penalty " << options.length_penalty);
        const auto together = beam_search(*family.model, sources, options);
        for (std::size_t i = 0; i < sources.size(); ++i) {
          INFO("sentence " << i);
          const core::Json& expected = one.at("results").at(i);
          check_same(together[i], expected);
          check_same(beam_search(*family.model, {&sources[i], 1}, options)[0], expected);
        }
      }
    }
  }
}

}  // namespace knnseq::search
