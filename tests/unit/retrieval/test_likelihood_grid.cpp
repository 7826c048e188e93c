#include <cmath>
#include <limits>

#include <ATen/ATen.h>
#include <catch2/catch.hpp>

#include "comm/self_communicator.hpp"
#include "core/entry_id.hpp"
#include "core/random.hpp"
#include "retrieval/mixing/interpolation.hpp"
#include "retrieval/mixing/likelihood_grid.hpp"
#include "support/normal.hpp"

using namespace knnseq;

namespace {

constexpr std::int64_t vocab_size = 12;
constexpr std::int64_t most = 16;

/// A text's tokens with a random model and random neighbours, some of them missing.
struct Text {
  at::Tensor log_probs = at::empty({40, vocab_size}, at::kFloat);
  index::TopK found = index::missing_top_k(40, most);
  std::vector<core::TokenId> tokens;

  explicit Text(std::uint64_t seed) {
    core::Random random(seed);
    for (std::int64_t i = 0; i < 40; ++i) {
      const auto count = static_cast<std::int64_t>(random.below(most + 1));
      float distance = 5;
      for (std::int64_t j = 0; j < most; ++j) {
        distance += static_cast<float>(random.uniform()) * 4;
        const auto token = static_cast<core::TokenId>(random.below(4));
        if (j >= count) continue;
        found.distances[i][j] = distance;
        found.ids[i][j] = core::pack_entry_id(token, 100 * i + j);
      }
      for (std::int64_t w = 0; w < vocab_size; ++w) log_probs[i][w] = 3 * test::normal(random);
      tokens.push_back(static_cast<core::TokenId>(random.below(5)));
    }
    log_probs = at::log_softmax(log_probs, 1);
  }

  void add_to(retrieval::LikelihoodGrid& grid, std::int64_t first, std::int64_t end) const {
    for (std::int64_t i = first; i < end; ++i) {
      const auto token = tokens[i];
      grid.add(token, log_probs[i][token].item<float>(), found.row(i));
    }
  }

  /// By interpolating the whole vocabulary with the k nearest.
  double mean_log_likelihood(std::int64_t k, const retrieval::Mixing& how) const {
    const at::Tensor mixed = log_probs.clone();
    retrieval::interpolate_cpu(
        mixed,
        {found.distances.narrow(1, 0, k).contiguous(), found.ids.narrow(1, 0, k).contiguous()},
        how);
    double sum = 0;
    for (std::int64_t i = 0; i < 40; ++i) {
      sum += mixed[i][tokens[i]].item<double>();
    }
    return sum / 40;
  }
};

}  // namespace

TEST_CASE("the grid knows the neighbours' weights") {
  const Text text(5);
  const retrieval::SettingsGrid settings{{4, most}, {3}, {0.5f}, {}};
  retrieval::LikelihoodGrid grid(settings);
  const at::Tensor log_weights = text.found.ids.remainder(3).to(at::kFloat) - 1;
  for (std::int64_t i = 0; i < 40; ++i) {
    const auto token = text.tokens[i];
    grid.add(token, text.log_probs[i][token].item<float>(), text.found.row(i),
             {log_weights.const_data_ptr<float>() + i * most, most});
  }
  for (std::size_t k = 0; k < 2; ++k) {
    const retrieval::Mixing how{
        .lambda = {0.5f},
        .temperature = {3},
        .log_weights = log_weights.narrow(1, 0, settings.k[k]).contiguous()};
    CHECK(grid.log_likelihood({k, 0, 0}) ==
          Approx(text.mean_log_likelihood(settings.k[k], how)).epsilon(1e-5));
  }
}

TEST_CASE("the grid's likelihoods are those of interpolating with each setting") {
  const Text text(3);
  for (const std::optional<float> threshold : {std::optional<float>(), std::optional(-20.f)}) {
    const retrieval::SettingsGrid settings{{1, 5, most}, {0.5f, 4, 30}, {0, 0.3f, 0.9f}, threshold};
    retrieval::LikelihoodGrid grid(settings);
    text.add_to(grid, 0, 40);
    CHECK(grid.tokens() == 40);
    for (std::size_t k = 0; k < 3; ++k) {
      for (std::size_t t = 0; t < 3; ++t) {
        for (std::size_t l = 0; l < 3; ++l) {
          INFO("k " << settings.k[k] << " T " << settings.temperature[t] << " lambda "
                    << settings.lambda[l]);
          const double expected =
              text.mean_log_likelihood(settings.k[k], {.lambda = {settings.lambda[l]},
                                                       .temperature = {settings.temperature[t]},
                                                       .threshold = threshold});
          CHECK(grid.log_likelihood({k, t, l}) == Approx(expected).epsilon(1e-5));
        }
      }
    }
    CHECK(grid.log_likelihood({1, 1, 0}) == Approx(grid.base_log_likelihood()).epsilon(1e-6));
  }
}

TEST_CASE("sums do not depend on the order of the tokens, and impossible tokens count -1000") {
  const Text text(4);
  const retrieval::SettingsGrid settings{{most}, {10}, {0.5f}, {}};
  retrieval::LikelihoodGrid forward(settings), backward(settings);
  text.add_to(forward, 0, 40);
  for (std::int64_t i = 40; i-- > 0;) text.add_to(backward, i, i + 1);
  const auto self = comm::make_self_communicator();
  forward.reduce(*self);
  CHECK(forward.log_likelihood({}) == backward.log_likelihood({}));

  retrieval::LikelihoodGrid grid(settings);
  const std::vector<float> distances(most, 1);
  const std::vector<std::int64_t> ids(most, core::pack_entry_id(1, 7));
  grid.add(2, -std::numeric_limits<float>::infinity(), {distances, ids});
  CHECK(grid.log_likelihood({}) == -1000);
  grid.add(1, -std::numeric_limits<float>::infinity(), {distances, ids});
  CHECK(grid.log_likelihood({}) == Approx((-1000 + std::log(0.5)) / 2));
}
