#include "retrieval/mixing/mixing_policy.hpp"

#include <cmath>

#include <fmt/format.h>

#include "core/error.hpp"
#include "retrieval/mixing/policy_network.hpp"
#include "retrieval/mixing/search_gate.hpp"

namespace knnseq::retrieval {

namespace {

/// The config's λ, T and threshold for every query, and all neighbours that the search finds.
class FixedPolicy final : public MixingPolicy {
 public:
  explicit FixedPolicy(const MixingOptions& options)
      : mixing_{.lambda = {options.lambda},
                .temperature = {options.temperature},
                .threshold = options.threshold} {}

  Mixing decide(const MixingQueries&, const index::TopK&) const override { return mixing_; }

 private:
  Mixing mixing_;
};

/// The nearer the nearest neighbour, the more the neighbours count.
class DistancePolicy final : public MixingPolicy {
 public:
  explicit DistancePolicy(const MixingOptions& options)
      : tau_(options.tau),
        mixing_{.temperature = {options.temperature}, .threshold = options.threshold} {}

  Mixing decide(const MixingQueries&, const index::TopK& found) const override {
    Mixing mixing = mixing_;
    mixing.lambda.each = distance_lambda(found.distances.select(1, 0), tau_);
    return mixing;
  }

 private:
  float tau_;
  Mixing mixing_;
};

class LearnedPolicy final : public MixingPolicy {
 public:
  explicit LearnedPolicy(PolicyNetwork network) : network_(std::move(network)) {}

  Mixing decide(const MixingQueries& queries, const index::TopK& found) const override {
    const auto weights = network_.weigh(features_of(queries, found));
    return {.lambda = {.each = weights.lambda}, .shares = weights.shares};
  }

 private:
  PolicyNetwork network_;
};

}  // namespace

void MixingOptions::validate(std::int64_t k) const {
  if (!gate.empty()) SearchGate::load(gate);
  if (is_learned(policy)) {
    const auto own = PolicyNetwork::load(network, policy).k();
    if (own == k) return;
    throw core::InputError(network,
                           fmt::format("was trained for k {}, but knn.k is {}: set knn.k to "
                                       "{}, or run tune again",
                                       own, k, own));
  }
  if (!(temperature > 0) || !std::isfinite(temperature)) {
    throw core::InputError(fmt::format("temperature is {}, it must be positive", temperature));
  }
  if (threshold && !std::isfinite(*threshold)) {
    throw core::InputError(fmt::format("threshold is {}, it must be a finite number", *threshold));
  }
  if (policy == PolicyKind::distance) {
    if (tau > 0 && std::isfinite(tau)) return;
    throw core::InputError(fmt::format("tau is {}, it must be positive", tau));
  }
  if (!(lambda >= 0 && lambda <= 1)) {
    throw core::InputError(fmt::format("lambda is {}, it must be between 0 and 1", lambda));
  }
}

core::Json MixingOptions::inputs() const {
  core::Json inputs;
  if (policy != PolicyKind::fixed) inputs["policy"] = core::name_of(policy);
  if (is_learned(policy)) {
    inputs["network"] = core::fingerprint_file(network);
  } else {
    inputs["temperature"] = temperature;
    inputs["threshold"] = threshold ? core::Json(*threshold) : core::Json();
  }
  if (policy == PolicyKind::distance) inputs["tau"] = tau;
  if (policy == PolicyKind::fixed) inputs["lambda"] = lambda;
  if (!gate.empty()) inputs.update({{"gate", core::fingerprint_file(gate)}, {"skip", skip}});
  return inputs;
}

at::Tensor distance_lambda(const at::Tensor& nearest, double tau) {
  constexpr double most = 0.999;
  return (1 - nearest / tau).clamp(0, most);
}

std::unique_ptr<MixingPolicy> make_mixing_policy(const MixingOptions& options, at::Device device) {
  std::unique_ptr<MixingPolicy> policy;
  if (is_learned(options.policy)) {
    policy = std::make_unique<LearnedPolicy>(
        PolicyNetwork::load(options.network, options.policy).to(device));
  } else if (options.policy == PolicyKind::distance) {
    policy = std::make_unique<DistancePolicy>(options);
  } else {
    policy = std::make_unique<FixedPolicy>(options);
  }
  if (options.gate.empty()) return policy;
  return gated(std::move(policy), SearchGate::load(options.gate).to(device), options.skip);
}

void share_among_datastores(std::vector<Mixing>& mixings) {
  // The weight of datastore i in p is λ_i / count; what is interpolated later shrinks it.
  const auto count = static_cast<float>(mixings.size());
  float later = 0;
  at::Tensor later_of_each;
  for (auto mixing = mixings.rbegin(); mixing != mixings.rend(); ++mixing) {
    PerQuery& lambda = mixing->lambda;
    if (lambda.each.defined()) {
      const at::Tensor weight = lambda.each / count;
      if (!later_of_each.defined()) later_of_each = at::zeros_like(weight);
      lambda.each = weight / (1.0F - later_of_each);
      later_of_each = later_of_each + weight;
    } else {
      const float weight = lambda.all / count;
      lambda.all = weight / (1.0F - later);
      later += weight;
    }
  }
}

}  // namespace knnseq::retrieval
