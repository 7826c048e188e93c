#include <cmath>

#include <ATen/ATen.h>
#include <catch2/catch.hpp>

#include "core/entry_id.hpp"
#include "core/error.hpp"
#include "core/random.hpp"
#include "retrieval/mixing/entry_weights.hpp"
#include "retrieval/mixing/interpolation.hpp"
#include "retrieval/mixing/mixing_policy.hpp"
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
                          const retrieval::MixingOptions& options) {
  std::vector<double> p_knn(log_probs.size(), 0);
  double best = -infinity;
  double sum = 0;
  for (std::size_t i = 0; i < neighbours.tokens.size(); ++i) {
    const double score = neighbours.scores[i];
    if (neighbours.tokens[i] < 0 || (options.threshold && score < *options.threshold)) continue;
    best = std::max(best, score);
    const double weight = std::exp(score / options.temperature);
    p_knn[neighbours.tokens[i]] += weight;
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

/// What the config's policy makes of the options.
retrieval::Mixing mixing(const retrieval::MixingOptions& options) {
  return retrieval::make_mixing_policy(options)->decide({{}, {}}, {});
}

index::TopK top_k(const Neighbours& neighbours) {
  return {at::tensor(neighbours.scores).neg().unsqueeze(0),
          at::tensor(ids_of(neighbours), at::kLong).unsqueeze(0)};
}

/// By both implementations, which must agree.
std::vector<float> interpolated(const std::vector<float>& log_probs, const Neighbours& neighbours,
                                const retrieval::MixingOptions& options) {
  const at::Tensor values = at::tensor(log_probs).unsqueeze(0).contiguous();
  const at::Tensor by_tensors = values.clone();
  retrieval::interpolate_cpu(values, top_k(neighbours), mixing(options));
  retrieval::interpolate_torch(by_tensors, top_k(neighbours), mixing(options));
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
    retrieval::MixingOptions options;
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
  retrieval::MixingOptions options;
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
  retrieval::MixingOptions options;
  options.threshold = -10.F;
  CHECK(interpolated(log_probs, {{-10, -20}, {0, 1}}, options) == log_probs);
  CHECK(interpolated(log_probs, {{-9, -20}, {0, 1}}, options)[0] == Approx(std::log(0.75)));
  const index::TopK three{at::tensor({9.F, 10.F, 20.F}).view({1, 3}),
                          at::tensor({5, 6, 7}, at::kLong).view({1, 3})};
  const auto shares = retrieval::neighbour_shares(three, 0, mixing(options));
  REQUIRE(shares.size() == 2);
  CHECK(shares[0].neighbour.id == 5);
  CHECK(shares[0].neighbour.distance == 9);
  CHECK(shares[0].share + shares[1].share == Approx(1));
}

TEST_CASE("many rows of tensors, more neighbours than are compared at a time") {
  constexpr std::int64_t rows = 7, vocabulary = 300;
  core::Random random(2);
  for (const std::int64_t k : {1, 64, 65, 200}) {
    for (const bool with_threshold : {false, true}) {
      const at::Tensor distances = at::empty({rows, k}, at::kFloat);
      const at::Tensor ids = at::empty({rows, k}, at::kLong);
      for (std::int64_t i = 0; i < rows * k; ++i) {
        const bool missing = i / k == 3 || random.below(6) == 0;  // row 3 has no neighbours
        distances.mutable_data_ptr<float>()[i] =
            missing ? infinity : static_cast<float>(400 * random.uniform());
        const auto token = static_cast<core::TokenId>(random.below(40));
        ids.mutable_data_ptr<std::int64_t>()[i] = missing ? -1 : core::pack_entry_id(token, i);
      }
      retrieval::MixingOptions options;
      options.temperature = 30;
      options.lambda = 0.7F;
      if (with_threshold) options.threshold = -200.F;
      const at::Tensor expected = at::empty({rows, vocabulary}, at::kFloat);
      for (std::int64_t i = 0; i < rows * vocabulary; ++i) {
        expected.mutable_data_ptr<float>()[i] = static_cast<float>(-12 * random.uniform());
      }
      const at::Tensor made = expected.clone();
      const at::Tensor before = expected.clone();
      const index::TopK found{distances, ids};
      retrieval::interpolate_cpu(expected, found, mixing(options));
      const auto greatest = retrieval::interpolate_torch(made, found, mixing(options));
      check_close(made, expected);
      CHECK(at::equal(made[3], before[3]));
      CHECK(greatest.item<std::int64_t>() < 40);
    }
  }
}

TEST_CASE("tensors: the greatest usable token comes back, and none without neighbours") {
  const at::Tensor log_probs = at::zeros({2, 4}, at::kFloat);
  const at::Tensor distances = at::tensor({1.F, 5.F, 1.F, infinity}).view({2, 2});
  const auto id = [](core::TokenId token) { return core::pack_entry_id(token, 1); };
  const auto ids = at::tensor({id(1), id(9), id(3), std::int64_t{-1}}, at::kLong).view({2, 2});
  retrieval::MixingOptions options;
  const auto greatest = [&](const at::Tensor& of) {
    return retrieval::interpolate_torch(log_probs, {distances, of}, mixing(options))
        .item<std::int64_t>();
  };
  CHECK(greatest(ids) == 9);
  CHECK(greatest(at::full({2, 2}, -1, at::kLong)) == -1);
  options.threshold = -2.F;
  CHECK(greatest(ids) == 3);
  const at::Tensor none = at::zeros({0, 4}, at::kFloat);
  const index::TopK nothing{distances.narrow(0, 0, 0), ids.narrow(0, 0, 0)};
  CHECK(retrieval::interpolate_torch(none, nothing, mixing(options)).item<std::int64_t>() == -1);
}

TEST_CASE("each query may have its own lambda, temperature and k") {
  constexpr std::int64_t rows = 6, vocabulary = 20, k = 5;
  core::Random random(7);
  const at::Tensor log_probs = at::empty({rows, vocabulary}, at::kFloat);
  for (std::int64_t i = 0; i < rows * vocabulary; ++i) {
    log_probs.mutable_data_ptr<float>()[i] = static_cast<float>(-9 * random.uniform());
  }
  const index::TopK found = index::missing_top_k(rows, k);
  for (std::int64_t query = 0; query < rows; ++query) {
    std::vector<index::Neighbour> neighbours;
    for (std::int64_t i = 0; i < k; ++i) {
      neighbours.push_back({static_cast<float>(10 * i) + static_cast<float>(random.uniform()),
                            core::pack_entry_id(static_cast<core::TokenId>(random.below(3)), i)});
    }
    found.set_row(query, neighbours);
  }
  const std::vector<float> lambdas = {0, 0.25F, 0.5F, 0.9F, 1, 0.5F};
  const std::vector<float> temperatures = {1, 5, 20, 3, 8, 50};
  const std::vector<std::int64_t> ks = {5, 1, 2, 5, 3, 0};
  const auto each = GENERATE(0, 1, 2, 3);  // which of them differ between queries
  retrieval::Mixing how{.lambda = {0.5F}, .temperature = {10}};
  if (each != 1) how.lambda.each = at::tensor(lambdas);
  if (each != 2) how.temperature.each = at::tensor(temperatures);
  if (each != 3) how.k = at::tensor(ks, at::kLong);

  const at::Tensor made = log_probs.clone();
  const at::Tensor by_tensors = log_probs.clone();
  retrieval::interpolate_cpu(made, found, how);
  retrieval::interpolate_torch(by_tensors, found, how);
  check_close(by_tensors, made);
  for (std::int64_t query = 0; query < rows; ++query) {
    // The same with numbers for all, of this query's neighbours alone.
    const auto at = static_cast<std::size_t>(query);
    const std::int64_t of_query = each != 3 ? ks[at] : k;
    const at::Tensor alone = log_probs.narrow(0, query, 1).clone();
    retrieval::interpolate_cpu(alone,
                               {found.distances.narrow(0, query, 1).narrow(1, 0, of_query).clone(),
                                found.ids.narrow(0, query, 1).narrow(1, 0, of_query).clone()},
                               {.lambda = {each != 1 ? lambdas[at] : 0.5F},
                                .temperature = {each != 2 ? temperatures[at] : 10}});
    CHECK(at::equal(made.narrow(0, query, 1), alone));
  }
}

TEST_CASE("a neighbour of weight w counts as w of its kind do") {
  constexpr std::int64_t rows = 4, vocabulary = 10, k = 6;
  const bool given = GENERATE(false, true);  // whether the policy gives shares
  core::Random random(11);
  const at::Tensor log_probs = at::log_softmax(at::arange(40).view({rows, vocabulary}) / 7.0F, 1);
  const index::TopK found = index::missing_top_k(rows, k);
  const index::TopK repeated = index::missing_top_k(rows, 3 * k);
  const at::Tensor shares = at::zeros({rows, k}), repeated_shares = at::zeros({rows, 3 * k});
  // Entries 0 and 1 belong to a corpus of weight 1, 2 and 3 to one of weight 3, others to one of 2.
  const retrieval::EntryWeights weights({{0, 1}, {2, 3}, {4, 2}});
  const std::vector<int> weight = {1, 1, 3, 3, 2, 2};
  for (std::int64_t query = 1; query < rows; ++query) {  // query 0 has no neighbours
    std::vector<index::Neighbour> once, often;
    float sum = 0;
    for (std::int64_t i = 0; i < k; ++i) {
      const index::Neighbour neighbour = {
          static_cast<float>(i) + static_cast<float>(random.uniform()),
          core::pack_entry_id(static_cast<core::TokenId>(random.below(4)), i)};
      once.push_back(neighbour);
      shares[query][i] = random.uniform();
      for (int j = 0; j < weight[i]; ++j) {
        repeated_shares[query][std::ssize(often)] = shares[query][i];
        often.push_back(neighbour);
        sum += shares[query][i].item<float>();
      }
    }
    found.set_row(query, once);
    repeated.set_row(query, often);
    repeated_shares[query] /= sum;
  }
  retrieval::Mixing how{.lambda = {0.7F}, .temperature = {2}, .log_weights = weights.of(found)};
  retrieval::Mixing plain{.lambda = {0.7F}, .temperature = {2}};
  if (given) {
    how.shares = shares / shares.sum({1}, true).clamp_min(1e-9);
    plain.shares = repeated_shares;
  }
  const at::Tensor expected = log_probs.clone(), made = log_probs.clone(),
                   tensors = log_probs.clone();
  retrieval::interpolate_cpu(expected, repeated, plain);
  retrieval::interpolate_cpu(made, found, how);
  retrieval::interpolate_torch(tensors, found, how);
  CHECK(at::allclose(made, expected, 1e-5, 1e-6));
  CHECK(at::allclose(tensors, expected, 1e-5, 1e-6));
  CHECK(at::equal(made[0], log_probs[0]));
  CHECK(at::equal(tensors[0], log_probs[0]));
  float sum = 0;
  for (const auto& neighbour : retrieval::neighbour_shares(found, 1, how)) sum += neighbour.share;
  CHECK(sum == Approx(1));
  CHECK(retrieval::EntryWeights({{0, 1}, {5, 1}}).equal());
  CHECK_FALSE(retrieval::EntryWeights({{0, 1}, {5, 1}}).of(found).defined());
}

TEST_CASE("tokens beyond the vocabulary and bad options are refused") {
  CHECK_THROWS_AS(interpolated({0.F, -infinity}, {{-1}, {2}}, {}), core::InputError);
  retrieval::MixingOptions options;
  options.temperature = 0;
  CHECK_THROWS_AS(options.validate(8), core::InputError);
  options = {};
  options.lambda = 1.5F;
  CHECK_THROWS_AS(options.validate(8), core::InputError);
  CHECK_NOTHROW(retrieval::MixingOptions{}.validate(8));
}
