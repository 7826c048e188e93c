#include <cmath>

#include <ATen/ATen.h>
#include <catch2/catch.hpp>

#include "core/entry_id.hpp"
#include "core/error.hpp"
#include "core/random.hpp"
#include "retrieval/mixing/knn_distribution.hpp"
#include "retrieval/mixing/tensor_distribution.hpp"
#include "support/normal.hpp"

using namespace knnseq;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

/// One query's neighbours: token −1 means missing.
struct Neighbours {
  std::vector<float> scores;
  std::vector<core::TokenId> tokens;
};

std::vector<std::int64_t> ids_of(const Neighbours& neighbours) {
  std::vector<std::int64_t> ids;
  for (const core::TokenId token : neighbours.tokens) {
    ids.push_back(token < 0 ? -1
                            : core::pack_entry_id(token, static_cast<std::int64_t>(ids.size())));
  }
  return ids;
}

/// p = (1 − λ) p_mt + λ p_knn over the whole vocabulary, in fp64.
std::vector<double> plain(const std::vector<float>& log_probs, const Neighbours& neighbours,
                          const retrieval::KnnOptions& options) {
  std::vector<double> p_knn(log_probs.size(), 0);
  double best = -infinity;
  double sum = 0;
  for (std::size_t i = 0; i < neighbours.tokens.size(); ++i) {
    const double score = neighbours.scores[i];
    if (neighbours.tokens[i] < 0 || (options.threshold && score < *options.threshold)) continue;
    best = std::max(best, score);
    const double weight = std::exp(score / options.temperature);
    p_knn[static_cast<std::size_t>(neighbours.tokens[i])] += weight;
    sum += weight;
  }
  std::vector<double> result;
  const bool usable = sum > 0 && (!options.threshold || best > *options.threshold);
  for (std::size_t w = 0; w < log_probs.size(); ++w) {
    const double p_mt = std::exp(double{log_probs[w]});
    result.push_back(usable ? (1 - double{options.lambda}) * p_mt + options.lambda * p_knn[w] / sum
                            : p_mt);
  }
  return result;
}

void check_close(const at::Tensor& a, const at::Tensor& b) {
  REQUIRE(a.numel() == b.numel());
  const float* one = a.const_data_ptr<float>();
  const float* other = b.const_data_ptr<float>();
  for (std::int64_t i = 0; i < a.numel(); ++i) {
    if (one[i] != other[i]) CHECK(one[i] == Approx(other[i]).epsilon(1e-6).margin(1e-6));
  }
}

/// By both implementations, which must agree.
std::vector<float> interpolated(const std::vector<float>& log_probs, const Neighbours& neighbours,
                                const retrieval::KnnOptions& options) {
  const at::Tensor ids = at::tensor(ids_of(neighbours), at::kLong).unsqueeze(0);
  const at::Tensor scores = at::tensor(neighbours.scores).unsqueeze(0);
  at::Tensor values = at::tensor(log_probs).unsqueeze(0).contiguous();
  at::Tensor by_tensors = values.clone();
  retrieval::interpolate(values, scores, ids, options);
  retrieval::interpolate_tensors(by_tensors, scores, ids, options);
  check_close(by_tensors, values);
  const float* data = values.const_data_ptr<float>();
  return {data, data + values.numel()};
}

}  // namespace

TEST_CASE("interpolation equals the dense formula") {
  core::Random random(1);
  const std::size_t vocabulary = 50;
  for (int round = 0; round < 200; ++round) {
    at::Tensor logits = at::empty({50}, at::kFloat);
    for (std::size_t w = 0; w < vocabulary; ++w) {
      logits.mutable_data_ptr<float>()[w] = static_cast<float>(test::normal(random) * 3);
    }
    const at::Tensor log_softmax = at::log_softmax(logits, 0);
    const float* data = log_softmax.const_data_ptr<float>();
    const std::vector<float> log_probs(data, data + vocabulary);
    Neighbours neighbours;
    for (int i = 0; i < 8; ++i) {
      const bool missing = random.below(5) == 0;
      neighbours.tokens.push_back(missing ? -1 : static_cast<core::TokenId>(random.below(6)));
      neighbours.scores.push_back(missing ? -infinity
                                          : static_cast<float>(-300 * random.uniform()));
    }
    retrieval::KnnOptions options;
    options.temperature = 50;
    options.lambda = std::vector<float>{0.F, 0.3F, 0.9F, 1.F}[random.below(4)];
    if (random.below(2) == 0) options.threshold = -150.F;
    const auto expected = plain(log_probs, neighbours, options);
    const auto found = interpolated(log_probs, neighbours, options);
    double sum = 0;
    for (std::size_t w = 0; w < vocabulary; ++w) {
      CHECK(std::exp(double{found[w]}) == Approx(expected[w]).epsilon(1e-4).margin(1e-7));
      sum += std::exp(double{found[w]});
    }
    CHECK(sum == Approx(1).epsilon(1e-4));
  }
}

TEST_CASE("extremes: lambda 0 and 1, impossible tokens, no neighbours, far neighbours") {
  const std::vector<float> log_probs = {std::log(0.5F), std::log(0.5F), -infinity};
  const Neighbours two = {{-1, -1}, {2, 2}};
  retrieval::KnnOptions options;
  options.lambda = 0;
  CHECK(interpolated(log_probs, two, options) == log_probs);
  options.lambda = 1;
  CHECK(interpolated(log_probs, two, options) == std::vector<float>{-infinity, -infinity, 0});
  options.lambda = 0.5F;
  CHECK(interpolated(log_probs, two, options)[2] == Approx(std::log(0.5)));
  CHECK(interpolated(log_probs, {{-infinity, -infinity}, {-1, -1}}, options) == log_probs);
  const auto far = interpolated(log_probs, {{-1e9F, -1e9F - 1e6F}, {1, 0}}, options);
  CHECK(far[0] == Approx(std::log(0.25)));
  CHECK(far[1] == Approx(std::log(0.75)));
}

TEST_CASE("a query whose best score is not above the threshold keeps the model's distribution") {
  const std::vector<float> log_probs = {std::log(0.5F), std::log(0.5F)};
  retrieval::KnnOptions options;
  options.threshold = -10.F;
  CHECK(interpolated(log_probs, {{-10, -20}, {0, 1}}, options) == log_probs);
  CHECK(interpolated(log_probs, {{-9, -20}, {0, 1}}, options)[0] == Approx(std::log(0.75)));
  const auto shares = retrieval::neighbour_probabilities(
      std::vector<float>{-9, -10, -20}, std::vector<std::int64_t>{5, 6, 7}, options);
  REQUIRE(shares.size() == 2);
  CHECK(shares[0].id == 5);
  CHECK(shares[0].probability + shares[1].probability == Approx(1));
}

TEST_CASE("many rows of tensors, more neighbours than are compared at a time") {
  constexpr std::int64_t rows = 7, vocabulary = 300;
  core::Random random(2);
  for (const std::int64_t k : {1, 64, 65, 200}) {
    for (const bool with_threshold : {false, true}) {
      at::Tensor scores = at::empty({rows, k}, at::kFloat);
      at::Tensor ids = at::empty({rows, k}, at::kLong);
      for (std::int64_t i = 0; i < rows * k; ++i) {
        const bool missing = i / k == 3 || random.below(6) == 0;  // row 3 has no neighbours
        scores.mutable_data_ptr<float>()[i] =
            missing ? -infinity : static_cast<float>(-400 * random.uniform());
        const auto token = static_cast<core::TokenId>(random.below(40));
        ids.mutable_data_ptr<std::int64_t>()[i] = missing ? -1 : core::pack_entry_id(token, i);
      }
      retrieval::KnnOptions options;
      options.temperature = 30;
      options.lambda = 0.7F;
      if (with_threshold) options.threshold = -200.F;
      at::Tensor expected = at::empty({rows, vocabulary}, at::kFloat);
      for (std::int64_t i = 0; i < rows * vocabulary; ++i) {
        expected.mutable_data_ptr<float>()[i] = static_cast<float>(-12 * random.uniform());
      }
      at::Tensor made = expected.clone();
      const at::Tensor before = expected.clone();
      retrieval::interpolate(expected, scores, ids, options);
      const auto greatest = retrieval::interpolate_tensors(made, scores, ids, options);
      check_close(made, expected);
      CHECK(at::equal(made[3], before[3]));
      CHECK(greatest.item<std::int64_t>() < 40);
    }
  }
}

TEST_CASE("tensors: the greatest usable token comes back, and none without neighbours") {
  at::Tensor log_probs = at::zeros({2, 4}, at::kFloat);
  const at::Tensor scores = at::tensor({-1.F, -5.F, -1.F, -infinity}).view({2, 2});
  const auto id = [](core::TokenId token) { return core::pack_entry_id(token, 1); };
  const auto ids = at::tensor({id(1), id(9), id(3), std::int64_t{-1}}, at::kLong).view({2, 2});
  retrieval::KnnOptions options;
  const auto greatest = [&](const at::Tensor& of) {
    return retrieval::interpolate_tensors(log_probs, scores, of, options).item<std::int64_t>();
  };
  CHECK(greatest(ids) == 9);
  CHECK(greatest(at::full({2, 2}, -1, at::kLong)) == -1);
  options.threshold = -2.F;
  CHECK(greatest(ids) == 3);
  at::Tensor none = at::zeros({0, 4}, at::kFloat);
  CHECK(retrieval::interpolate_tensors(none, scores.narrow(0, 0, 0), ids.narrow(0, 0, 0), options)
            .item<std::int64_t>() == -1);
}

TEST_CASE("tokens beyond the vocabulary and bad options are refused") {
  CHECK_THROWS_AS(interpolated({0.F, -infinity}, {{-1}, {2}}, {}), core::InputError);
  retrieval::KnnOptions options;
  options.temperature = 0;
  CHECK_THROWS_AS(options.validate(), core::InputError);
  options = {};
  options.lambda = 1.5F;
  CHECK_THROWS_AS(options.validate(), core::InputError);
  CHECK_NOTHROW(retrieval::KnnOptions{}.validate());
}
