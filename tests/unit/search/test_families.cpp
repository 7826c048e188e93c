// Every family against a plain search over its framework's log-probs.
#include <catch2/catch.hpp>

#include "beam_cases.hpp"
#include "search/beam_search.hpp"
#include "support/family_models.hpp"

namespace knnseq::search {

TEST_CASE("every family's beam search, in batches of 1 and 32", "[search]") {
  const auto path = GENERATE(gpu::ComputePath::cpu, gpu::ComputePath::torch);
  for (const auto& folder : test::family_folders()) {
    DYNAMIC_SECTION(folder.filename().string()
                    << (path == gpu::ComputePath::torch ? ", as on GPUs" : "")) {
      const test::FamilyModel family(folder, path);
      const std::vector<std::vector<core::TokenId>> sources = family.beam.at("sources");
      REQUIRE(sources.size() == 32);
      for (const core::Json& one : family.beam.at("cases")) {
        const BeamOptions options = testing::options_of(one);
        INFO("beam " << options.beam << ", length penalty " << options.length_penalty);
        const auto together = beam_search(*family.model, sources, options);
        for (std::size_t i = 0; i < sources.size(); ++i) {
          INFO("sentence " << i);
          const core::Json& expected = one.at("results").at(i);
          testing::check_same(together[i], expected);
          testing::check_same(beam_search(*family.model, {&sources[i], 1}, options)[0], expected);
        }
      }
    }
  }
}

}  // namespace knnseq::search
