// The mixing of neighbours found by searches made for the test, under several policies.
#include <cmath>

#include <ATen/ATen.h>
#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "retrieval/knn_mixer.hpp"

using namespace knnseq;

namespace {

constexpr std::int64_t vocabulary = 8;

/// Finds for a query (a, …) the entries of tokens a + first and a + first + 1, at distances 1
/// and 3.
class TwoNeighbours final : public retrieval::KnnSearch {
 public:
  TwoNeighbours(std::int64_t width, std::int64_t first, bool collective, std::vector<int>& calls)
      : width_(width), first_(first), collective_(collective), calls_(calls) {}

  index::TopK search(const at::Tensor& queries, std::span<const std::int64_t> sentences) override {
    REQUIRE(queries.size(1) == width_);
    REQUIRE((queries.size(0) == 0 || std::ssize(sentences) == queries.size(0)));
    for (std::int64_t row = 0; row < queries.size(0); ++row) {  // second column: its sentence
      if (width_ > 1) {
        CHECK(queries[row][1].item<float>() == static_cast<float>(sentences[row]));
      }
    }
    calls_.push_back(static_cast<int>(queries.size(0)));
    const index::TopK found = index::missing_top_k(queries.size(0), k_);
    for (std::int64_t row = 0; row < queries.size(0); ++row) {
      const auto token = static_cast<core::TokenId>(queries[row][0].item<float>() + first_);
      found.set_row(row, std::vector<index::Neighbour>{{1, core::pack_entry_id(token, 5)},
                                                       {3, core::pack_entry_id(token + 1, 2)}});
    }
    return found;
  }
  /// Searches in finish(); as if another rank had given the next status.
  std::unique_ptr<retrieval::PendingSearch> start(const at::Tensor& queries,
                                                  std::span<const std::int64_t> sentences,
                                                  std::int64_t status) override {
    class Pending final : public retrieval::PendingSearch {
     public:
      Pending(TwoNeighbours& own, at::Tensor queries, std::vector<std::int64_t> sentences,
              std::int64_t status)
          : own_(own),
            queries_(std::move(queries)),
            sentences_(std::move(sentences)),
            all_{status, status + 1} {}
      void serve() override { statuses_ = all_; }
      std::span<const std::int64_t> statuses() const override { return statuses_; }
      index::TopK finish() override {
        REQUIRE(!statuses_.empty());  // it was served
        return own_.search(queries_, sentences_);
      }

     private:
      TwoNeighbours& own_;
      at::Tensor queries_;
      std::vector<std::int64_t> sentences_, all_, statuses_;
    };
    return std::make_unique<Pending>(
        *this, queries, std::vector<std::int64_t>(sentences.begin(), sentences.end()), status);
  }
  void set_options(const retrieval::SearchOptions& options) override { k_ = options.k; }
  std::int64_t width() const override { return width_; }
  bool collective() const override { return collective_; }
  std::string summary() const override { return "of " + std::to_string(first_); }

 private:
  std::int64_t width_, first_, k_ = 3;
  bool collective_;
  std::vector<int>& calls_;
};

/// λ = 0.6 where the first distance is below the query's third column, else 0.2; only the nearest
/// counts. Skips queries of even sentences.
class OddSentences final : public retrieval::MixingPolicy {
 public:
  at::Tensor choose(const retrieval::MixingQueries& queries) const override {
    CHECK(queries.log_probs.size(0) == queries.vectors.size(0));
    return at::nonzero(queries.vectors.select(1, 1).remainder(2)).flatten();
  }
  retrieval::Mixing decide(const retrieval::MixingQueries& queries,
                           const index::TopK& found) const override {
    const at::Tensor near = found.distances.select(1, 0) < queries.vectors.select(1, 2);
    return {.lambda = {.each = at::where(near, at::scalar_tensor(0.6F), at::scalar_tensor(0.2F))},
            .temperature = {10},
            .k = at::ones({found.queries()}, at::kLong)};
  }
};

std::vector<std::unique_ptr<retrieval::KnnSearch>> one_search(std::int64_t width, bool collective,
                                                              std::vector<int>& calls) {
  std::vector<std::unique_ptr<retrieval::KnnSearch>> searches;
  searches.push_back(std::make_unique<TwoNeighbours>(width, 0, collective, calls));
  return searches;
}

at::Tensor uniform(std::int64_t rows) {
  return at::full({rows, vocabulary}, std::log(1.0 / vocabulary), at::kFloat);
}

double probability(const at::Tensor& log_probs, std::int64_t row, std::int64_t token) {
  return std::exp(log_probs[row][token].item<double>());
}

}  // namespace

TEST_CASE("several datastores: p = (1 − λ) p_mt + λ/count Σ p_knn, and each one's shares") {
  const auto path = GENERATE(gpu::ComputePath::cpu, gpu::ComputePath::torch);
  std::vector<int> calls;
  std::vector<std::unique_ptr<retrieval::KnnSearch>> searches;
  for (const std::int64_t first : {0, 2, 4}) {
    searches.push_back(std::make_unique<TwoNeighbours>(1, first, true, calls));
  }
  retrieval::MixingOptions options;
  options.temperature = 2;
  options.lambda = 0.6F;
  retrieval::KnnMixer mixer(std::move(searches), retrieval::make_mixing_policy(options), path);
  CHECK(mixer.collective());
  const at::Tensor queries = at::tensor({0.F, 0.F, 0.F, 1.F, 1.F, 1.F}).view({2, 3});
  const at::Tensor log_probs = uniform(2);
  const auto explanation =
      mixer.mix_and_explain(queries, std::vector<std::int64_t>{0, 0}, log_probs);
  mixer.check();
  CHECK(calls == std::vector<int>{2, 2, 2});
  const double near = 1 / (1 + std::exp(-1.0));
  for (std::int64_t row = 0; row < 2; ++row) {
    for (std::int64_t token = 0; token < vocabulary; ++token) {
      const auto place = token - row;
      const double p_knn = place < 0 || place > 5 ? 0 : (place % 2 == 0 ? near : 1 - near) / 3;
      CHECK(probability(log_probs, row, token) == Approx(0.4 / vocabulary + 0.6 * p_knn));
    }
  }
  REQUIRE(explanation.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    REQUIRE(explanation[i].size() == 2);
    const auto& [searched, lambda, neighbours] = explanation[i][1];
    CHECK(searched);
    CHECK(lambda == Approx(0.2 / (1 - 0.2 * static_cast<double>(2 - i))));
    REQUIRE(neighbours.size() == 2);
    CHECK(core::token_of(neighbours[0].neighbour.id) == static_cast<int>(1 + 2 * i));
    CHECK(neighbours[0].neighbour.distance == 1);
    CHECK(neighbours[0].share == Approx(near));
  }
  CHECK(mixer.summaries() == std::vector<std::string>{"of 0", "of 2", "of 4"});
  CHECK(mixer.find(queries, std::vector<std::int64_t>{0, 0}).size() == 3);
}

TEST_CASE("a mixer takes other options and another policy for later queries") {
  std::vector<int> calls;
  retrieval::KnnMixer mixer(one_search(3, false, calls), std::make_unique<OddSentences>());
  const at::Tensor query = at::tensor({2.F, 0.F, 9.F}).view({1, 3});
  const std::vector<std::int64_t> sentences = {0};
  mixer.mix(query, sentences, uniform(1));  // which the policy skips
  retrieval::MixingOptions options;
  options.lambda = 0.25F;
  mixer.set_policy(retrieval::make_mixing_policy(options));
  mixer.set_options({.k = 7});
  const auto explanation = mixer.mix_and_explain(query, sentences, uniform(1)).front().front();
  CHECK(explanation.lambda == 0.25F);
  CHECK(explanation.neighbours.size() == 2);
  CHECK(mixer.find(query, sentences).front().ids.size(1) == 7);
}

TEST_CASE("a policy skips queries, and gives each its own weights") {
  const auto path = GENERATE(gpu::ComputePath::cpu, gpu::ComputePath::torch);
  std::vector<int> calls;
  retrieval::KnnMixer mixer(one_search(3, false, calls), std::make_unique<OddSentences>(), path);
  const std::vector<std::int64_t> sentences = {1, 0, 3, 2};
  const at::Tensor queries =
      at::tensor({2.F, 1.F, 9.F, 2.F, 0.F, 9.F, 4.F, 3.F, 0.F, 2.F, 2.F, 9.F}).view({4, 3});
  const at::Tensor log_probs = uniform(4);
  const auto explanation = mixer.mix_and_explain(queries, sentences, log_probs).front();
  CHECK(calls == std::vector<int>{2});
  CHECK(probability(log_probs, 0, 2) == Approx(0.4 / vocabulary + 0.6));
  CHECK(probability(log_probs, 0, 3) == Approx(0.4 / vocabulary));
  CHECK(probability(log_probs, 2, 4) == Approx(0.8 / vocabulary + 0.2));
  for (const std::int64_t row : {1, 3}) CHECK(at::equal(log_probs[row], uniform(1)[0]));
  REQUIRE(explanation.size() == 4);
  CHECK((explanation[0].neighbours.size() == 1 && explanation[2].neighbours.size() == 1));
  CHECK((explanation[1].neighbours.empty() && explanation[3].neighbours.empty()));
  CHECK((explanation[0].searched && !explanation[1].searched));
  CHECK(explanation[0].lambda == Approx(0.6));
  CHECK(explanation[2].lambda == Approx(0.2));

  // Without anything to look for, a local search is not asked at all.
  mixer.mix(queries.narrow(0, 1, 1), std::vector<std::int64_t>{0}, log_probs.narrow(0, 1, 1));
  CHECK(calls.size() == 1);
}

TEST_CASE("a collective search is asked in every step, whatever the policy skips") {
  std::vector<int> calls;
  retrieval::KnnMixer mixer(one_search(3, true, calls), std::make_unique<OddSentences>());
  const at::Tensor query = at::tensor({2.F, 0.F, 9.F}).view({1, 3});
  const at::Tensor log_probs = uniform(1);
  mixer.mix(query, std::vector<std::int64_t>{0}, log_probs);
  CHECK(calls == std::vector<int>{0});
  CHECK(at::equal(log_probs, uniform(1)));
  mixer.serve();
  CHECK(calls == std::vector<int>{0, 0});
}

TEST_CASE("two steps of mixing under way give what each gives by itself") {
  std::vector<int> calls;
  retrieval::KnnMixer mixer(one_search(3, true, calls), std::make_unique<OddSentences>());
  const at::Tensor queries = at::tensor({2.F, 1.F, 9.F, 4.F, 2.F, 9.F}).view({2, 3});
  const at::Tensor other = at::tensor({5.F, 3.F, 0.F}).view({1, 3});
  const std::vector<std::int64_t> sentences = {1, 2}, other_sentences = {3};
  const at::Tensor alone = uniform(2), other_alone = uniform(1);
  mixer.mix(queries, sentences, alone);
  mixer.mix(other, other_sentences, other_alone);
  const at::Tensor log_probs = uniform(2), other_log_probs = uniform(1);
  auto first = mixer.start(queries, sentences, log_probs, 4);
  auto second = mixer.start(other, other_sentences, other_log_probs, 7);
  mixer.serve(first);
  mixer.serve(second);
  CHECK(first.statuses().back() == 5);
  CHECK(second.statuses().back() == 8);
  mixer.finish(first);
  auto third = mixer.start(9);
  mixer.finish(second);
  mixer.serve(third);
  CHECK(third.statuses().front() == 9);
  mixer.finish(third);
  CHECK(at::equal(log_probs, alone));
  CHECK(at::equal(other_log_probs, other_alone));
  CHECK_FALSE(at::equal(alone, uniform(2)));
  CHECK(calls == std::vector<int>{1, 1, 1, 1, 0});
}

TEST_CASE("a token beyond the vocabulary is refused, by tensors from check()") {
  std::vector<int> calls;
  const at::Tensor query = at::tensor({7.F}).view({1, 1});  // tokens 7 and 8
  const std::vector<std::int64_t> sentence = {0};
  retrieval::KnnMixer on_cpu(one_search(1, true, calls), retrieval::make_mixing_policy({}));
  CHECK_THROWS_AS(on_cpu.mix(query, sentence, uniform(1)), core::InputError);
  retrieval::KnnMixer by_tensors(one_search(1, true, calls), retrieval::make_mixing_policy({}),
                                 gpu::ComputePath::torch);
  CHECK_NOTHROW(by_tensors.check());
  by_tensors.mix(query, sentence, uniform(1));
  CHECK_THROWS_AS(by_tensors.check(), core::InputError);
  CHECK_NOTHROW(by_tensors.check());
}
