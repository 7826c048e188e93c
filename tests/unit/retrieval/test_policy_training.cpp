// Training of the learned policies and the gate: gradients, what is learnt, and what is refused.
#include <cmath>
#include <functional>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "retrieval/mixing/policy_training.hpp"

using namespace knnseq;
using retrieval::PolicyKind;

namespace {

constexpr std::int64_t k = 6, width = 4;

/// Tokens whose neighbours are right where the nearest is near, and wrong where it is far; then the
/// model knows better. Every fifth is held out.
retrieval::PolicyExamples make_examples(std::int64_t count) {
  at::manual_seed(5);
  const at::Tensor is_near = at::rand({count}) < 0.5;
  retrieval::PolicyExamples examples;
  auto& features = examples.features;
  features.distances = (at::rand({count, k}) * 3 + at::where(is_near, 2.0F, 20.0F).unsqueeze(1)) +
                       at::arange(k).to(at::kFloat);
  features.usable = at::ones({count, k}, at::kBool);
  features.usable.narrow(0, 0, count / 10)
      .narrow(1, k - 2, 2)
      .fill_(false);  // some lack neighbours
  features.usable[0].fill_(false);
  features.distances.masked_fill_(features.usable.logical_not(), 0);
  features.distinct = at::ones({count, k}).cumsum(1).clamp_max(3);
  features.log_probs = (at::rand({count, k}) * 0.3 + 1e-3).log();
  features.best = at::stack({at::where(is_near, 0.3F, 0.9F).log(), at::full({count}, -3.0F)}, 1);
  features.queries = at::randn({count, width});
  examples.correct =
      (at::rand({count, k}) < 0.8).logical_and(is_near.unsqueeze(1)).logical_and(features.usable);
  examples.log_prob = at::where(is_near, 0.05F, 0.9F).log();
  examples.held_out = at::arange(count).remainder(5) == 4;
  return examples;
}

/// The largest difference between a parameter's gradient and what changing it does to the loss.
double gradient_error(retrieval::NetworkWeights& parameters,
                      const std::function<at::Tensor()>& loss) {
  for (auto& [name, values] : parameters) values.requires_grad_(true);
  loss().backward();
  double error = 0;
  const c10::NoGradGuard no_gradients;
  constexpr double step = 1e-5;
  for (auto& [name, values] : parameters) {
    REQUIRE(values.grad().defined());
    const at::Tensor flat = values.view({-1});
    const at::Tensor gradient = values.grad().reshape({-1});
    for (std::int64_t i = 0; i < flat.numel(); i += 1 + flat.numel() / 20) {
      const auto before = flat[i].item<double>();
      flat[i].fill_(before + step);
      const auto more = loss().item<double>();
      flat[i].fill_(before - step);
      const auto less = loss().item<double>();
      flat[i].fill_(before);
      error = std::max(error, std::abs((more - less) / (2 * step) - gradient[i].item<double>()));
    }
  }
  return error;
}

retrieval::NetworkWeights random_in_double(const retrieval::NetworkWeights& parameters) {
  at::manual_seed(7);
  retrieval::NetworkWeights result;
  for (const auto& [name, values] : parameters) {
    result[name] = at::randn(values.sizes(), at::kDouble) * 0.5;
  }
  return result;
}

}  // namespace

TEST_CASE("gradients of the losses are those of finite differences") {
  const c10::AutoGradMode recorded(true);
  auto examples = make_examples(40);
  const auto kind = GENERATE(PolicyKind::meta_k, PolicyKind::robust);
  auto network =
      retrieval::PolicyNetwork::create(kind, {k, width}, examples.features.distances, 5, 1)
          .to(at::kDouble);
  network.parameters() = random_in_double(network.parameters());
  network.parameters()["log_temperature"].fill_(std::log(4.0));
  CHECK(gradient_error(network.parameters(), [&] {
          return retrieval::mixture_loss(network.weigh(examples.features), examples);
        }) < 1e-6);

  auto gate = retrieval::SearchGate::create(width, 1);
  gate.parameters() = random_in_double(gate.parameters());
  const at::Tensor queries = examples.features.queries.to(at::kDouble);
  const at::Tensor best = examples.features.best.to(at::kDouble);
  const at::Tensor mixed = at::rand({40}, at::kDouble).log();
  CHECK(gradient_error(gate.parameters(), [&] {
          return retrieval::gate_loss(gate.logits(queries, best), examples.log_prob.to(at::kDouble),
                                      mixed, 0.1);
        }) < 1e-6);
}

TEST_CASE("a trained policy trusts neighbours where they are right, the same each time") {
  const auto examples = make_examples(1000);
  const auto kind = GENERATE(PolicyKind::meta_k, PolicyKind::robust);
  const auto trained = retrieval::train_policy(kind, examples, 5, {});
  CHECK(trained.epochs > 1);
  CHECK(trained.loss < trained.model_loss);
  const auto held_out = examples.at(at::nonzero(examples.held_out).flatten());
  for (const double lambda : {0.2, 0.5, 0.8}) {  // no λ for all does as well
    const auto fixed = retrieval::mixture_loss(
        {at::full({held_out.count()}, lambda), retrieval::shares_of(held_out.features, 5)},
        held_out);
    CHECK(trained.loss < fixed.item<double>());
  }
  const at::Tensor lambda = trained.network.weigh(examples.features).lambda;
  const at::Tensor near = examples.features.distances.select(1, 0) < 10;
  const at::Tensor counts = examples.features.usable.select(1, 0);
  CHECK(lambda.masked_select(near.logical_and(counts)).mean().item<float>() > 0.7);
  CHECK(lambda.masked_select(near.logical_not().logical_and(counts)).mean().item<float>() < 0.3);
  const auto again = retrieval::train_policy(kind, examples, 5, {});
  for (const auto& [name, values] : trained.network.parameters()) {
    CHECK(at::equal(values, again.network.parameters().at(name)));
    CHECK_FALSE(values.requires_grad());
  }

  const auto distance = retrieval::fit_distance_policy(examples, {2, 5, 20});
  CHECK((distance.tau > 5 && distance.tau < 30));
  CHECK(distance.loss < -examples.log_prob.mean().item<double>());
}

TEST_CASE("what the mixture gives true tokens is what interpolation gives them") {
  constexpr std::int64_t vocabulary = 7, count = 30;
  at::manual_seed(3);
  const at::Tensor log_probs = at::randn({count, vocabulary}).log_softmax(1);
  const index::TopK found = index::missing_top_k(count, k);
  for (std::int64_t row = 1; row < count; ++row) {  // the first has none
    std::vector<index::Neighbour> neighbours;
    for (std::int64_t i = 0; i < 1 + row % k; ++i) {
      const auto token = static_cast<core::TokenId>((row * 3 + i * i) % 5);
      neighbours.push_back({static_cast<float>(i + 1), core::pack_entry_id(token, i)});
    }
    found.set_row(row, neighbours);
  }
  const at::Tensor vectors = at::zeros({count, width});
  const at::Tensor truth = at::randint(0, vocabulary, {count, 1}, at::kLong);
  retrieval::PolicyExamples examples;
  examples.features = retrieval::features_of({vectors, log_probs}, found);
  const at::Tensor tokens = found.ids.bitwise_right_shift(core::entry_number_bits);
  examples.correct = (tokens == truth).logical_and(examples.features.usable);
  examples.log_prob = log_probs.gather(1, truth).squeeze(1);
  const at::Tensor lambda = at::rand({count});
  const at::Tensor made =
      retrieval::mixed_log_prob({lambda, retrieval::shares_of(examples.features, 2)}, examples);
  const at::Tensor mixed = log_probs.clone();
  retrieval::interpolate_cpu(mixed, found, {.lambda = {.each = lambda}, .temperature = {2}});
  CHECK(at::allclose(made, mixed.gather(1, truth).squeeze(1), 1e-4, 1e-5));
  CHECK(made[0].item<float>() == Approx(examples.log_prob[0].item<float>()));
}

TEST_CASE("a trained gate searches where neighbours are better than the model") {
  const auto examples = make_examples(1000);
  const at::Tensor near = examples.log_prob < -1;
  const at::Tensor mixed = at::where(near, 0.6F, 0.3F).log();  // else the model has 0.9
  const auto gate = retrieval::train_gate(examples, mixed, {});
  const at::Tensor worth = gate.logits(examples.features.queries, examples.features.best).sigmoid();
  CHECK(worth.masked_select(near).mean().item<float>() > 0.9);
  CHECK(worth.masked_select(near.logical_not()).mean().item<float>() < 0.3);
  CHECK(worth.masked_select(near).min().item<float>() >
        worth.masked_select(near.logical_not()).max().item<float>());
}

TEST_CASE("too little text to train on is refused") {
  auto examples = make_examples(50);
  examples.held_out.fill_(false);
  CHECK_THROWS_AS(retrieval::train_policy(PolicyKind::meta_k, examples, 5, {}), core::InputError);
  examples.held_out.fill_(true);
  CHECK_THROWS_AS(retrieval::train_policy(PolicyKind::robust, examples, 5, {}), core::InputError);
  examples = make_examples(50);
  examples.features.usable.fill_(false);
  CHECK_THROWS_AS(retrieval::train_policy(PolicyKind::robust, examples, 5, {}), core::InputError);
  CHECK_THROWS_AS(retrieval::fit_distance_policy(examples, {5}), core::InputError);
}
