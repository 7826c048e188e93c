#include "retrieval/mixing/policy_training.hpp"

#include <cmath>
#include <functional>
#include <limits>

#include <ATen/CPUGeneratorImpl.h>
#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>

#include "core/error.hpp"

namespace knnseq::retrieval {

namespace {

constexpr double least_probability = 1e-30;  // of what no neighbour and not the model gives

/// Adam (Kingma and Ba, ICLR 2015) with the usual constants.
class Adam {
 public:
  Adam(NetworkWeights& parameters, double learning_rate)
      : parameters_(parameters), learning_rate_(learning_rate) {
    for (auto& [name, values] : parameters_) {
      values.requires_grad_(true);
      means_[name] = at::zeros_like(values);
      squares_[name] = at::zeros_like(values);
    }
  }

  /// Follows the parameters' gradients, and clears them.
  void step() {
    const c10::NoGradGuard no_gradients;
    ++steps_;
    for (auto& [name, values] : parameters_) {
      const at::Tensor gradient = values.grad();
      if (!gradient.defined()) continue;
      at::Tensor& mean = means_[name].mul_(beta_mean).add_(gradient, 1 - beta_mean);
      at::Tensor& square =
          squares_[name].mul_(beta_square).addcmul_(gradient, gradient, 1 - beta_square);
      const at::Tensor scale = (square / (1 - std::pow(beta_square, steps_))).sqrt_().add_(1e-8);
      values.addcdiv_(mean, scale, -learning_rate_ / (1 - std::pow(beta_mean, steps_)));
      values.mutable_grad().reset();
    }
  }

 private:
  static constexpr double beta_mean = 0.9, beta_square = 0.999;
  NetworkWeights& parameters_;
  NetworkWeights means_, squares_;
  double learning_rate_;
  int steps_ = 0;
};

NetworkWeights copy_of(const NetworkWeights& parameters) {
  NetworkWeights copy;
  for (const auto& [name, values] : parameters) copy[name] = values.detach().clone();
  return copy;
}

/// The examples' places, apart for training and judging.
struct Split {
  at::Tensor trained, judged;  ///< int64
};

Split split(const PolicyExamples& examples) {
  Split places{at::nonzero(examples.held_out.logical_not()).flatten(),
               at::nonzero(examples.held_out).flatten()};
  if (places.trained.numel() > 0 && places.judged.numel() > 0) return places;
  throw core::InputError("tune", "the validation text is too short to train a policy on");
}

struct Trained {
  int epochs = 0;   ///< after which the loss on what is held out was least
  double loss = 0;  ///< the least
};

/// Trains the parameters and leaves those that were best. loss: of the examples at some places.
Trained minimise(NetworkWeights& parameters, const Split& places, const PolicyTraining& how,
                 const std::function<at::Tensor(const at::Tensor&)>& loss) {
  Trained best{0, std::numeric_limits<double>::infinity()};
  NetworkWeights best_parameters;
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(how.seed);
  Adam adam(parameters, how.learning_rate);
  for (int epoch = 1; epoch <= how.most_epochs && epoch <= best.epochs + how.patience; ++epoch) {
    const at::Tensor order = at::randperm(places.trained.numel(), generator, at::kLong);
    for (const at::Tensor& batch : order.split(how.batch)) {
      loss(places.trained.index_select(0, batch)).backward();
      adam.step();
    }
    const c10::NoGradGuard no_gradients;
    const auto of_judged = loss(places.judged).item<double>();
    if (!(of_judged < best.loss)) continue;
    best = {epoch, of_judged};
    best_parameters = copy_of(parameters);
  }
  KNNSEQ_ASSERT(best.epochs > 0, "a loss that is a number");
  parameters = std::move(best_parameters);
  return best;
}

/// While it lives, gradients are recorded, whatever the caller does.
struct Gradients {
  const c10::InferenceMode with_gradients{false};
  const c10::AutoGradMode recorded{true};
};

}  // namespace

PolicyExamples PolicyExamples::at(const at::Tensor& places) const {
  const auto rows = [&](const at::Tensor& all) { return all.index_select(0, places); };
  return {{rows(features.distances), rows(features.usable), rows(features.distinct),
           rows(features.log_probs), rows(features.best), rows(features.queries)},
          rows(correct),
          rows(log_prob),
          rows(held_out)};
}

at::Tensor mixture_loss(const NeighbourWeights& weights, const PolicyExamples& examples) {
  return -mixed_log_prob(weights, examples).mean();
}

at::Tensor shares_of(const NeighbourFeatures& features, double temperature) {
  const at::Tensor nearest = features.distances.select(1, 0).unsqueeze(1);
  const at::Tensor powers = ((nearest - features.distances) / temperature)
                                .exp()
                                .masked_fill(features.usable.logical_not(), 0);
  return powers / powers.sum(1, true).clamp_min(least_probability);
}

TrainedPolicy train_policy(PolicyKind kind, const PolicyExamples& examples, double temperature,
                           const PolicyTraining& how) {
  const Gradients recorded;
  const Split places = split(examples);
  const auto& features = examples.features;
  const at::Tensor distances =
      features.distances.masked_select(features.usable).clone();  // of the held-out ones too
  if (distances.numel() < 2) {
    throw core::InputError("tune", "nothing in the validation text has neighbours");
  }
  TrainedPolicy result{PolicyNetwork::create(kind,
                                             {features.distances.size(1), features.queries.size(1)},
                                             distances, temperature, how.seed)};
  const auto trained =
      minimise(result.network.parameters(), places, how, [&](const at::Tensor& some) {
        const PolicyExamples batch = examples.at(some);
        return mixture_loss(result.network.weigh(batch.features), batch);
      });
  result.epochs = trained.epochs;
  result.loss = trained.loss;
  result.model_loss = -examples.at(places.judged).log_prob.mean().item<double>();
  return result;
}

at::Tensor mixed_log_prob(const NeighbourWeights& weights, const PolicyExamples& examples) {
  const at::Tensor& shares = weights.shares;
  const at::Tensor p_mt = examples.log_prob.to(shares.dtype()).exp();
  const at::Tensor p_knn = shares.masked_fill(examples.correct.logical_not(), 0).sum(1);
  const at::Tensor any = examples.features.usable.any(1);
  const at::Tensor p = at::where(any, (1 - weights.lambda) * p_mt + weights.lambda * p_knn, p_mt);
  return p.clamp_min(least_probability).log();
}

at::Tensor gate_loss(const at::Tensor& logits, const at::Tensor& log_prob, const at::Tensor& mixed,
                     double cost) {
  const at::Tensor searched = logits.sigmoid();
  const at::Tensor p = searched * mixed.exp() + (1 - searched) * log_prob.exp();
  return (cost * searched - p.clamp_min(least_probability).log()).mean();
}

SearchGate train_gate(const PolicyExamples& examples, const at::Tensor& mixed,
                      const PolicyTraining& how) {
  const Gradients recorded;
  const Split places = split(examples);
  SearchGate gate = SearchGate::create(examples.features.queries.size(1), how.seed);
  minimise(gate.parameters(), places, how, [&](const at::Tensor& some) {
    const auto rows = [&](const at::Tensor& all) { return all.index_select(0, some); };
    return gate_loss(gate.logits(rows(examples.features.queries), rows(examples.features.best)),
                     rows(examples.log_prob), rows(mixed), how.search_cost);
  });
  return gate;
}

DistanceSetting fit_distance_policy(const PolicyExamples& examples,
                                    const std::vector<float>& temperatures) {
  const at::Tensor nearest = examples.features.distances.select(1, 0);
  const at::Tensor known = nearest.masked_select(examples.features.usable.select(1, 0));
  if (known.numel() == 0) {
    throw core::InputError("tune", "nothing in the validation text has neighbours");
  }
  const double mean = known.mean().item<double>();
  DistanceSetting best;
  best.loss = std::numeric_limits<double>::infinity();
  for (const float temperature : temperatures) {
    const at::Tensor shares = shares_of(examples.features, temperature);
    for (double tau = mean / 2; tau < mean * 8.1; tau *= std::sqrt(2.0)) {
      const auto loss =
          mixture_loss({distance_lambda(nearest, tau), shares}, examples).item<double>();
      if (loss < best.loss) best = {tau, temperature, loss};
    }
  }
  return best;
}

}  // namespace knnseq::retrieval
