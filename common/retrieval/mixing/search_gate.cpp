#include "retrieval/mixing/search_gate.hpp"

#include <fmt/format.h>

#include "core/error.hpp"

namespace knnseq::retrieval {

namespace {

constexpr std::int64_t gate_units = 16;  // of its hidden layer
constexpr const char* gate_prefix = "gate.";

Shapes gate_shapes(std::int64_t width, std::int64_t hidden) {
  return {{"query.weight", {1, width}},
          {"hidden.weight", {hidden, 2}},
          {"hidden.bias", {hidden}},
          {"output.weight", {1, hidden}},
          {"output.bias", {1}}};
}

class GatedPolicy final : public MixingPolicy {
 public:
  GatedPolicy(std::unique_ptr<MixingPolicy> policy, SearchGate gate, double least)
      : policy_(std::move(policy)), gate_(std::move(gate)), least_(least) {}

  at::Tensor choose(const MixingQueries& queries) const override {
    const at::Tensor worth =
        gate_.logits(normalised_queries(queries.vectors), best_log_probs(queries.log_probs))
            .sigmoid();
    return at::nonzero(worth >= least_).flatten();
  }
  Mixing decide(const MixingQueries& queries, const index::TopK& found) const override {
    return policy_->decide(queries, found);
  }

 private:
  std::unique_ptr<MixingPolicy> policy_;
  SearchGate gate_;
  double least_;
};

}  // namespace

SearchGate SearchGate::create(std::int64_t width, std::uint64_t seed) {
  SearchGate gate;
  gate.parameters_ = random_weights(gate_shapes(width, gate_units), seed);
  return gate;
}

SearchGate SearchGate::load(const std::filesystem::path& file) {
  const model::SafetensorsFile tensors(file);
  const auto size = [&](const std::string& name, int dimension) {
    const at::Tensor tensor = read_weight(tensors, gate_prefix + name);
    return tensor.dim() == 2 ? tensor.size(dimension) : 0;
  };
  SearchGate gate;
  for (const auto& [name, shape] : gate_shapes(size("query.weight", 1), size("hidden.weight", 0))) {
    gate.parameters_[name] = read_weight(tensors, gate_prefix + name, shape);
  }
  return gate;
}

void SearchGate::save(const std::filesystem::path& file) const {
  NetworkWeights tensors;
  for (const auto& [name, values] : parameters_) tensors[gate_prefix + name] = values.detach();
  model::write_safetensors(file, tensors);
}

SearchGate SearchGate::to(at::Device device) const {
  SearchGate there = *this;
  for (auto& [name, values] : there.parameters_) values = values.to(device);
  return there;
}

at::Tensor SearchGate::logits(const at::Tensor& queries, const at::Tensor& best) const {
  const auto& own = parameters_;
  const auto width = own.at("query.weight").size(1);
  if (queries.size(1) != width) {
    throw core::InputError(
        fmt::format("the gate was trained for queries of {} numbers, this model's have {}", width,
                    queries.size(1)));
  }
  const at::Tensor hidden =
      hidden_layer(scaled_logarithm(best), own.at("hidden.weight"), own.at("hidden.bias"));
  return (at::linear(queries, own.at("query.weight")) +
          at::linear(hidden, own.at("output.weight"), own.at("output.bias")))
      .squeeze(1);
}

std::unique_ptr<MixingPolicy> gated(std::unique_ptr<MixingPolicy> policy, SearchGate gate,
                                    double least) {
  return std::make_unique<GatedPolicy>(std::move(policy), std::move(gate), least);
}

}  // namespace knnseq::retrieval
