// Beam search over an ensemble against the plain search over the mean of its models' probabilities.
#include <catch2/catch.hpp>

#include "model/ensemble_model.hpp"
#include "plain_search.hpp"
#include "search/beam_search.hpp"
#include "support/fake_model.hpp"

namespace knnseq::search {

TEST_CASE("beam search over an ensemble equals the plain search", "[search]") {
  const std::vector<test::FakeModelOptions> fakes = {{.seed = 1, .eos_bias = 2.0},
                                                     {.width = 5, .seed = 2, .eos_bias = 1.0},
                                                     {.seed = 3, .eos_bias = 3.0}};
  std::vector<model::EnsembleMember> members;
  for (const auto& fake : fakes) {
    members.push_back({"fake", std::make_unique<test::FakeModel>(fake)});
  }
  const auto ensemble = model::make_ensemble(std::move(members), model::EnsembleQueries::all);
  const auto sources = testing::random_sources(9, 24, ensemble->info().vocab_size);
  for (const int beam : {1, 4}) {
    const BeamOptions options{.beam = beam, .max_length_b = 12, .nbest = beam};
    const auto made = beam_search(*ensemble, sources, options);
    for (std::size_t i = 0; i < sources.size(); ++i) {
      std::vector<test::FakeModel> models(fakes.begin(), fakes.end());
      std::vector<testing::NextToken> singles;
      for (auto& model : models) singles.push_back(testing::next_token_of(model, sources[i]));
      const auto mean = [&](const testing::Tokens& prefix) {
        std::vector<double> sums(ensemble->info().vocab_size);
        for (const auto& next : singles) {
          const std::vector<float> log_probs = next(prefix);
          for (std::size_t t = 0; t < sums.size(); ++t) sums[t] += std::exp(double{log_probs[t]});
        }
        std::vector<float> logs;
        for (const double sum : sums) logs.push_back(static_cast<float>(std::log(sum / 3.0)));
        return logs;
      };
      const auto expected =
          testing::plain_search(ensemble->info(), sources[i].size(), mean, options);
      REQUIRE(made[i].size() == expected.size());
      INFO("sentence " << i << ", beam " << beam);
      for (std::size_t rank = 0; rank < expected.size(); ++rank) {
        CHECK(made[i][rank].tokens == expected[rank].tokens);
        CHECK(made[i][rank].score == Approx(expected[rank].score).margin(1e-5));
      }
    }
  }
}

}  // namespace knnseq::search
