// Which rows the kNN step is given, and that what it makes of them counts.
#include <algorithm>

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "plain_search.hpp"
#include "search/beam_search.hpp"
#include "support/fake_model.hpp"

namespace knnseq::search {

namespace {

using testing::Tokens;

/// Halves every probability and gives the freed half to one word that the query decides.
void interpolate(const at::Tensor& query, float* log_probs, std::int64_t vocab_size) {
  const float first = query.const_data_ptr<float>()[0];
  const auto word = static_cast<std::int64_t>((first + 1.0f) * 1000.0f) % (vocab_size - 1);
  for (std::int64_t token = 0; token < vocab_size; ++token) {
    const double p = 0.5 * std::exp(log_probs[token]) + (token == word ? 0.5 : 0.0);
    log_probs[token] = static_cast<float>(std::log(p));
  }
}

}  // namespace

TEST_CASE("interpolated log-probs decide the search", "[search]") {
  const BeamOptions options{.beam = 3,
                            .max_length_a = 1.0,
                            .max_length_b = 2,
                            .nbest = 3,
                            .key = GENERATE(model::KeyKind::ffn_in, model::KeyKind::ffn_out),
                            .path = GENERATE(gpu::ComputePath::cpu, gpu::ComputePath::torch)};
  test::FakeModel model({.seed = 11});
  const auto sources = testing::random_sources(12, 20, model.info().vocab_size);
  const auto vocab_size = model.info().vocab_size;
  const bool replace = GENERATE(false, true);  // in place, or with another tensor
  std::vector<std::int64_t> rows;
  std::vector<std::vector<std::int64_t>> sentences;
  const auto made =
      beam_search(model, sources, options, [&](const KnnQueries& asked, at::Tensor& log_probs) {
        const at::Tensor& queries = asked.vectors;
        rows.push_back(queries.size(0));
        REQUIRE(std::ssize(asked.sentences) == queries.size(0));
        sentences.push_back(asked.sentences);
        REQUIRE(log_probs.sizes() == at::IntArrayRef({queries.size(0), vocab_size}));
        REQUIRE(log_probs.is_contiguous());
        if (replace) log_probs = log_probs.clone();
        for (std::int64_t row = 0; row < queries.size(0); ++row) {
          interpolate(queries[row], log_probs.mutable_data_ptr<float>() + row * vocab_size,
                      vocab_size);
        }
      });
  CHECK(rows.at(0) == 20);
  CHECK(rows.at(1) == 60);
  for (std::size_t i = 1; i + 1 < rows.size(); ++i) CHECK(rows[i + 1] <= rows[i]);
  for (std::size_t i = 0; i < 60; ++i) {
    if (i < 20) CHECK(sentences[0][i] == static_cast<std::int64_t>(i));
    CHECK(sentences[1][i] == static_cast<std::int64_t>(i) / 3);
  }
  // Sentences that have ended ask no more, and the others keep their numbers.
  for (std::size_t step = 2; step < sentences.size(); ++step) {
    CHECK(std::is_sorted(sentences[step].begin(), sentences[step].end()));
    CHECK(std::includes(sentences[step - 1].begin(), sentences[step - 1].end(),
                        sentences[step].begin(), sentences[step].end()));
  }
  CHECK(sentences.back() != sentences[1]);

  for (std::size_t i = 0; i < sources.size(); ++i) {
    const auto longest = static_cast<std::size_t>(sources[i].size() + 2);
    const auto plain = testing::next_token_of(model, sources[i]);
    const testing::NextToken next = [&](const Tokens& prefix) {
      std::vector<float> log_probs = plain(prefix);
      Tokens target = prefix;
      target.push_back(model.info().eos);
      const at::Tensor keys =
          model.teacher_force({&sources[i], 1}, {&target, 1}, {.key = options.key}).keys;
      // A forced step makes no query.
      if (prefix.size() < longest) interpolate(keys[-1], log_probs.data(), vocab_size);
      return log_probs;
    };
    INFO("sentence " << i);
    CHECK(testing::same(made[i],
                        testing::plain_search(model.info(), sources[i].size(), next, options)));
  }
}

TEST_CASE("two searches in turns find what each finds by itself", "[search]") {
  const BeamOptions options{.beam = 3, .max_length_a = 1.0, .nbest = 3};
  test::FakeModel model({.seed = 17});
  const auto vocab_size = model.info().vocab_size;
  const auto mixed = [&](const KnnQueries& asked, at::Tensor& log_probs) {
    for (std::int64_t row = 0; row < asked.vectors.size(0); ++row) {
      interpolate(asked.vectors[row], log_probs.mutable_data_ptr<float>() + row * vocab_size,
                  vocab_size);
    }
  };
  const std::vector<std::vector<Tokens>> blocks = {testing::random_sources(18, 7, vocab_size),
                                                   testing::random_sources(19, 4, vocab_size)};
  std::vector<std::unique_ptr<BeamSearch>> searches;
  for (const auto& sources : blocks) {
    searches.push_back(
        std::make_unique<BeamSearch>(model, sources, model.encode(sources), options));
  }
  std::vector<BeamSearch::Question> questions(2);
  while (!searches[0]->done() || !searches[1]->done()) {
    for (std::size_t i = 0; i < 2; ++i) {  // both ask before one is answered
      if (!searches[i]->done()) questions[i] = searches[i]->ask();
    }
    for (std::size_t i = 0; i < 2; ++i) {
      if (searches[i]->done()) continue;
      auto& [asked, log_probs] = questions[i];
      if (log_probs.defined()) mixed(asked, log_probs);
      searches[i]->answer(log_probs);
    }
  }
  for (std::size_t i = 0; i < 2; ++i) {
    const auto expected = beam_search(model, blocks[i], options, mixed);
    const auto made = searches[i]->take_results();
    for (std::size_t sentence = 0; sentence < expected.size(); ++sentence) {
      CHECK(testing::same(made[sentence], expected[sentence]));
    }
  }
}

TEST_CASE("masks come after the kNN step, and forced steps ask nothing", "[search]") {
  test::FakeModel model({.seed = 13});
  const auto sources = testing::random_sources(14, 5, model.info().vocab_size);
  std::int64_t calls = 0;
  const auto path = GENERATE(gpu::ComputePath::cpu, gpu::ComputePath::torch);
  const auto made = beam_search(model, sources, {.beam = 2, .max_length_b = 4, .path = path},
                                [&](const KnnQueries&, at::Tensor& log_probs) {
                                  ++calls;
                                  // EOS and pad would win everywhere, and EOS is not allowed at
                                  // first, pad never.
                                  log_probs.fill_(-5.0f);
                                  log_probs.select(1, model.info().pad).fill_(-0.1f);
                                  if (calls == 1)
                                    log_probs.select(1, model.info().eos).fill_(-0.1f);
                                  if (calls > 1)
                                    log_probs.select(1, model.info().eos).fill_(-50.0f);
                                });
  CHECK(calls == 4);
  for (const auto& nbest : made) {
    // Words tie, so the lowest is taken; which of the last ones wins is up to the model's EOS.
    REQUIRE(nbest.at(0).tokens.size() == 5);
    CHECK(Tokens(nbest[0].tokens.begin(), nbest[0].tokens.begin() + 3) == Tokens({1, 1, 1}));
    CHECK(nbest[0].tokens.back() == model.info().eos);
    CHECK(nbest.at(0).token_log_probs[0] == -5.0f);
  }
}

TEST_CASE("a kNN step that leaves nothing, or the wrong shape", "[search]") {
  test::FakeModel model;
  const auto sources = testing::random_sources(15, 2, model.info().vocab_size);
  const auto path = GENERATE(gpu::ComputePath::cpu, gpu::ComputePath::torch);
  CHECK_THROWS_WITH(
      beam_search(model, sources, {.path = path},
                  [](const KnnQueries&, at::Tensor& log_probs) { log_probs.fill_(NAN); }),
      Catch::Contains("no continuation has a finite log-probability"));
  CHECK_THROWS_AS(beam_search(model, sources, {},
                              [](const KnnQueries&, at::Tensor& log_probs) {
                                log_probs = log_probs.narrow(0, 0, 1);
                              }),
                  std::logic_error);
}

}  // namespace knnseq::search
