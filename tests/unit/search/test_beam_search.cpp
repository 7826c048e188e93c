// Against the plain search, over random fake models.
#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "plain_search.hpp"
#include "search/beam_search.hpp"
#include "support/fake_model.hpp"

namespace knnseq::search {

namespace {

using testing::Tokens;

/// One block of all sources, the same with selection by tensors, blocks of one, and the plain
/// search must agree bit by bit.
void compare(const test::FakeModelOptions& fake, const BeamOptions& options, std::size_t count) {
  test::FakeModel model(fake);
  const auto sources = testing::random_sources(fake.seed + 100, count, fake.vocab_size);
  const auto together = beam_search(model, sources, options);
  BeamOptions as_on_gpu = options;
  as_on_gpu.path = gpu::ComputePath::torch;
  const auto by_tensors = beam_search(model, sources, as_on_gpu);
  REQUIRE(together.size() == sources.size());
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const auto expected = testing::plain_search(model.info(), sources[i].size(),
                                                testing::next_token_of(model, sources[i]), options);
    const auto alone = beam_search(model, {&sources[i], 1}, options);
    INFO("sentence " << i << ", seed " << fake.seed << ", beam " << options.beam);
    REQUIRE_FALSE(expected.empty());
    CHECK(testing::same(together[i], expected));
    CHECK(testing::same(alone[0], expected));
    CHECK(testing::same(by_tensors[i], expected));
  }
}

}  // namespace

TEST_CASE("beam search equals the plain search", "[search]") {
  for (const int beam : {1, 2, 4, 5}) {
    for (const double length_penalty : {1.0, 0.6}) {
      for (const double eos_bias : {0.0, 2.0, 4.0}) {
        BeamOptions options{.beam = beam, .length_penalty = length_penalty, .max_length_b = 12};
        options.nbest = beam;
        const auto seed = static_cast<std::uint64_t>(beam * 100 + static_cast<int>(eos_bias));
        compare({.seed = seed, .eos_bias = eos_bias}, options, 32);
      }
    }
  }
}

TEST_CASE("equal scores are ordered by beam and token", "[search]") {
  for (const double step : {1.0, 3.0, 100.0}) {  // 100: all tokens are equally likely
    for (const std::uint64_t seed : {1u, 2u, 3u}) {
      compare({.seed = seed, .eos_bias = 1.0, .logit_step = step},
              {.beam = 4, .max_length_b = 6, .nbest = 4}, 16);
    }
  }
}

TEST_CASE("forced tokens come first, ask for no neighbours and count in the length", "[search]") {
  const test::FakeModelOptions fake{.forced_tokens = {7}, .seed = 8, .eos_bias = 2.0};
  compare(fake, {.beam = 4, .length_penalty = 0.6, .max_length_b = 9, .nbest = 4}, 32);
  test::FakeModel model(fake);
  const auto sources = testing::random_sources(9, 4, fake.vocab_size);
  std::vector<std::int64_t> asked;
  const auto results = beam_search(model, sources, {.beam = 2},
                                   [&](const KnnQueries& queries, at::Tensor& log_probs) {
                                     asked.push_back(queries.vectors.size(0));
                                     CHECK(log_probs.size(0) == queries.vectors.size(0));
                                   });
  CHECK(asked.front() == 8);  // of the second step: four sentences, two hypotheses each
  for (const auto& nbest : results) {
    CHECK(nbest.front().tokens.front() == 7);
    CHECK(nbest.front().token_log_probs.front() == 0.0f);
  }
}

TEST_CASE("a translation begins with its prefix, token by token as likely as it is", "[search]") {
  for (const auto path : {gpu::ComputePath::cpu, gpu::ComputePath::torch}) {
    test::FakeModel model({.forced_tokens = {7}, .seed = 41, .eos_bias = 2.0});
    const auto sources = testing::random_sources(42, 4, 24);
    BeamOptions options{.beam = 3, .max_length_b = 9, .nbest = 3, .path = path};
    const auto free = beam_search(model, sources, options);
    options.never = {5};
    // None; two tokens, one of them forbidden; more than fits; the start of a greedy search's own.
    options.prefixes = {{}, {5, 9}, {3, 4, 5, 6, 8, 9, 10, 11, 12, 13}, {2}};
    const auto made = beam_search(model, sources, options);
    options.prefixes.clear();
    CHECK(testing::same(made[0], beam_search(model, sources, options)[0]));
    for (const std::size_t i : {std::size_t{1}, std::size_t{3}}) {
      for (const auto& hypothesis : made[i]) {
        const auto prefix =
            i == 1 ? std::vector<core::TokenId>{7, 5, 9} : std::vector<core::TokenId>{7, 2};
        for (std::size_t at = 0; at < prefix.size(); ++at) {
          CHECK(hypothesis.tokens[at] == prefix[at]);
          if (at == 0) continue;
          const auto next = testing::next_token_of(model, sources[i]);
          const testing::Tokens before(prefix.begin(), prefix.begin() + at);
          CHECK(hypothesis.token_log_probs[at] == Approx(next(before)[prefix[at]]));
        }
      }
    }
    CHECK(made[2].front().tokens.size() == 10);  // cut at the greatest length, with its end
    // A greedy search goes on from its own beginning as it did.
    BeamOptions greedy{.beam = 1, .max_length_b = 9, .path = path};
    const auto whole = beam_search(model, sources, greedy);
    for (const auto& nbest : whole) {
      const auto& tokens = nbest.front().tokens;
      greedy.prefixes.emplace_back(tokens.begin() + 1, tokens.begin() + 2);
    }
    const auto again = beam_search(model, sources, greedy);
    for (std::size_t i = 0; i < whole.size(); ++i) CHECK(testing::same(again[i], whole[i]));
  }
}

TEST_CASE("bad tokens are never chosen, with words enough left", "[search]") {
  for (const auto path : {gpu::ComputePath::cpu, gpu::ComputePath::torch}) {
    test::FakeModel model({.vocab_size = 2000, .seed = 21, .eos_bias = 3.0});
    const auto sources = testing::random_sources(22, 10, 24);
    const BeamOptions options{
        .beam = 4, .max_length_a = 0.5, .max_length_b = 3, .nbest = 4, .path = path};
    const auto made = beam_search(model, sources, options);
    for (std::size_t i = 0; i < sources.size(); ++i) {
      CHECK(testing::same(
          made[i], testing::plain_search(model.info(), sources[i].size(),
                                         testing::next_token_of(model, sources[i]), options)));
    }
  }
}

TEST_CASE("tokens that the options forbid are never chosen", "[search]") {
  const std::vector<core::TokenId> never{3, 4, 5, 11, 22};
  const test::FakeModelOptions fake{.seed = 31, .eos_bias = 2.0};
  const BeamOptions options{.beam = 4, .max_length_b = 12, .nbest = 4, .never = never};
  compare(fake, options, 32);
  test::FakeModel model(fake);
  const auto sources = testing::random_sources(32, 16, 24);
  std::size_t without = 0;
  for (const bool masked : {true, false}) {
    BeamOptions used = options;
    if (!masked) used.never.clear();
    for (const auto& nbest : beam_search(model, sources, used)) {
      for (const auto& hypothesis : nbest) {
        const bool any = std::ranges::any_of(hypothesis.tokens, [&](core::TokenId token) {
          return std::ranges::count(never, token) > 0;
        });
        if (masked) CHECK_FALSE(any);
        if (!masked && any) ++without;
      }
    }
  }
  CHECK(without > 0);  // they would have been
}

TEST_CASE("vocabularies smaller than the beam", "[search]") {
  for (const std::int64_t words : {3, 4, 5, 6}) {
    compare({.vocab_size = words, .seed = 5}, {.beam = 5, .max_length_b = 4, .nbest = 5}, 8);
  }
}

TEST_CASE("greatest lengths differ from sentence to sentence", "[search]") {
  compare({.seed = 6, .eos_bias = -4.0},
          {.beam = 3, .max_length_a = 1.5, .max_length_b = 1, .nbest = 3}, 32);
  compare({.seed = 7, .eos_bias = -4.0}, {.beam = 3, .max_length_b = 0, .nbest = 3}, 4);
}

TEST_CASE("translations end in EOS, have a word, and fit the model's positions", "[search]") {
  test::FakeModel model({.max_positions = 9, .eos_bias = -20.0});
  const auto sources = testing::random_sources(8, 10, 24);
  for (const auto& nbest : beam_search(model, sources, {.beam = 2})) {
    const Hypothesis& best = nbest.at(0);
    CHECK(best.tokens.size() == 9);  // forced: 8 tokens, which is positions − 1, and EOS
    CHECK(best.tokens.back() == model.info().eos);
    CHECK(best.tokens.size() == best.token_log_probs.size());
    CHECK(std::ranges::count(best.tokens, model.info().eos) == 1);
    CHECK(std::ranges::count(best.tokens, model.info().pad) == 0);
  }
  test::FakeModel eager({.eos_bias = 50.0});
  for (const auto& nbest : beam_search(eager, sources, {.beam = 2})) {
    CHECK(nbest.at(0).tokens.size() == 2);  // never EOS alone
  }
}

TEST_CASE("an empty block, and options that cannot be", "[search]") {
  test::FakeModel model;
  const std::vector<Tokens> none;
  CHECK(beam_search(model, none, {}).empty());
  using Catch::Contains;
  CHECK_THROWS_WITH(beam_search(model, none, {.beam = 0}), Contains("beam"));
  CHECK_THROWS_WITH(beam_search(model, none, {.beam = 2, .nbest = 3}), Contains("nbest"));
  CHECK_THROWS_WITH(beam_search(model, none, {.length_penalty = NAN}), Contains("length_penalty"));
  CHECK_THROWS_WITH(beam_search(model, none, {.max_length_a = -1}), Contains("max_length_a"));
  CHECK_THROWS_WITH(beam_search(model, none, {.max_length_b = -1}), Contains("max_length_b"));
}

}  // namespace knnseq::search
