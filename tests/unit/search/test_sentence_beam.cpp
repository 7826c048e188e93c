// Rules of single steps, on log-probs made by hand. Tokens: 0 EOS, 1–3 words, 4 pad.
#include <cmath>

#include <catch2/catch.hpp>

#include "search/sentence_beam.hpp"

namespace knnseq::search {

namespace {

const SpecialTokens special{0, {4}};

/// Masks, selects the four best (beam is 2 here), and goes on.
std::vector<std::int64_t> advance(SentenceBeam& beam, const std::vector<float>& log_probs) {
  const at::Tensor rows = at::tensor(log_probs).view({-1, 5});
  std::vector<float> scores;
  for (std::size_t i = 0; i < beam.live(); ++i) scores.push_back(beam.score(i));
  const std::vector<std::uint8_t> at_end(scores.size(), beam.at_greatest_length() ? 1 : 0);
  Masks(special).apply(rows, beam.length(), at_end);
  return beam.advance(best_continuations_cpu(rows, scores, rows.size(0), 4).front(), special);
}

}  // namespace

TEST_CASE("EOS outside the first candidates ends nothing", "[search]") {
  const BeamOptions options{.beam = 2, .nbest = 2};
  SentenceBeam beam(options, 10);
  CHECK(advance(beam, {-9, -1, -2, -3, -0.1f}) == std::vector<std::int64_t>{0, 0});
  CHECK(beam.last_token(0) == 1);
  CHECK(beam.last_token(1) == 2);
  // Sums: beam 0 has words at −1.1 and −1.2 and EOS at −1.5, third of all: it is lost.
  CHECK(advance(beam, {-0.5f, -0.1f, -0.2f, -9, 0, -9, -9, -9, -9, 0}) ==
        std::vector<std::int64_t>{0, 0});
  // EOS of beam 1 (−1.2 − 0.1) is second: one hypothesis is done, two others go on.
  CHECK(advance(beam, {-9, -0.1f, -9, -9, 0, -0.1f, -0.3f, -9, -9, 0}) ==
        std::vector<std::int64_t>{0, 1});
  CHECK_FALSE(beam.finished());
  // EOS first and second: the second fills the beam, the sentence ends.
  CHECK(advance(beam, {-0.1f, -9, -9, -9, 0, -0.1f, -9, -9, -9, 0}).empty());
  CHECK(beam.finished());
  const auto results = beam.take_results();
  REQUIRE(results.size() == 2);
  CHECK(results[0].tokens == std::vector<core::TokenId>{1, 1, 1, 0});
  CHECK(results[0].score == Approx(-1.3 / 4));
  CHECK(results[1].tokens == std::vector<core::TokenId>{1, 2, 0});
  CHECK(results[1].score == Approx(-1.3 / 3));
  CHECK(results[1].token_log_probs == std::vector<float>{-1, -0.2f, -0.1f});
}

TEST_CASE("of equal hypotheses the one that finished first is better", "[search]") {
  const BeamOptions options{.beam = 2, .length_penalty = 0.0, .nbest = 2};
  SentenceBeam beam(options, 10);
  advance(beam, {-9, -1, -1, -9, 0});
  // Scores without length penalty: EOS of beam 0 at −2 now, EOS of beam 1 at −2 a step later.
  CHECK(advance(beam, {-1, -9, -9, -9, 0, -9, -1, -9, -9, 0}).at(0) == 1);
  CHECK(advance(beam, {0, -9, -9, -9, 0, -9, -9, -9, -9, 0}).empty());
  const auto results = beam.take_results();
  REQUIRE(results.size() == 2);
  CHECK(results[0].score == results[1].score);
  CHECK(results[0].tokens == std::vector<core::TokenId>{1, 0});
  CHECK(results[1].tokens == std::vector<core::TokenId>{2, 1, 0});
}

TEST_CASE("at the greatest length EOS is forced, whatever its place", "[search]") {
  const BeamOptions options{.beam = 2, .nbest = 2};
  SentenceBeam beam(options, 1);
  CHECK_FALSE(beam.forced(special));
  advance(beam, {0, -1, -2, -3, 0});
  CHECK(beam.forced(special));
  CHECK(advance(beam, {-70, -1, -1, -1, 0, -80, -1, -1, -1, 0}).empty());
  const auto results = beam.take_results();
  REQUIRE(results.size() == 2);
  CHECK(results[0].tokens == std::vector<core::TokenId>{1, 0});
  CHECK(results[0].score == -71.0f / 2);
  CHECK(results[1].tokens == std::vector<core::TokenId>{2, 0});
}

}  // namespace knnseq::search
