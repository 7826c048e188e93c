// With the demo model: against a search over transformers' log-probs in float64.
#include <catch2/catch.hpp>

#include "core/files.hpp"
#include "model/load_model.hpp"
#include "search/beam_search.hpp"

namespace knnseq::search {

TEST_CASE("beam search agrees with transformers on real sentences", "[search]") {
  const core::fs::path root = KNNSEQ_SOURCE_DIR;
  const auto model = model::load_model(root / "models/demo-de-en");
  // Made by make_beam_reference.py; `gap` is the closest call of the whole search.
  const core::Json reference = core::read_json(root / "tests/unit/search/beam_reference.json");
  std::vector<std::vector<core::TokenId>> sources;
  for (const auto& sentence : reference) sources.push_back(sentence.at("source"));
  const auto path = GENERATE(gpu::ComputePath::cpu, gpu::ComputePath::torch);
  const auto made = beam_search(*model, sources, {.nbest = 5, .path = path});
  std::size_t compared = 0;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const core::Json& nbest = reference[i].at("nbest");
    REQUIRE(made[i].size() == nbest.size());
    INFO("sentence " << i);
    CHECK(made[i][0].tokens == nbest[0].at("tokens").get<std::vector<core::TokenId>>());
    CHECK(made[i][0].score == Approx(nbest[0].at("score").get<double>()).margin(1e-5));
    if (reference[i].at("gap").get<double>() < 1e-5) continue;  // fp32 may decide otherwise
    ++compared;
    for (std::size_t rank = 0; rank < nbest.size(); ++rank) {
      INFO("rank " << rank);
      CHECK(made[i][rank].tokens == nbest[rank].at("tokens").get<std::vector<core::TokenId>>());
      CHECK(made[i][rank].score == Approx(nbest[rank].at("score").get<double>()).margin(1e-5));
    }
  }
  CHECK(compared >= 15);
}

}  // namespace knnseq::search
