#include "retrieval/mixing/policy_network.hpp"

#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "core/entry_id.hpp"
#include "core/error.hpp"
#include "model/safetensors/safetensors.hpp"

namespace knnseq::retrieval {

namespace {

constexpr std::int64_t hidden_units = 32;
constexpr double farthest = 8;             // deviations
constexpr double largest_change_of_t = 3;  // of log T
constexpr double most_lambda = 0.999;
constexpr double tiny = 1e-30;  // divides sums without a usable neighbour
constexpr const char* distances_name = "distances";

/// 1, 2, 4, … and K: the numbers of neighbours that meta_k chooses from, beside none.
std::vector<std::int64_t> choices_of_k(std::int64_t k) {
  std::vector<std::int64_t> choices;
  for (std::int64_t choice = 1; choice < k; choice *= 2) choices.push_back(choice);
  choices.push_back(k);
  return choices;
}

Shapes shapes_of(PolicyKind kind, PolicyNetwork::Size size, std::int64_t hidden) {
  const auto [k, width] = size;
  if (kind == PolicyKind::meta_k) {
    const auto weights = 1 + std::ssize(choices_of_k(k));
    return {{"hidden.weight", {hidden, 2 * k}},
            {"hidden.bias", {hidden}},
            {"output.weight", {weights, hidden}},
            {"output.bias", {weights}},
            {"log_temperature", {1}}};
  }
  KNNSEQ_ASSERT(kind == PolicyKind::robust, "a learned policy");
  return {{"hidden.weight", {hidden, 3 * k + 2}},
          {"hidden.bias", {hidden}},
          {"output.weight", {2, hidden}},
          {"output.bias", {2}},
          {"neighbour.hidden.weight", {hidden, 4}},
          {"neighbour.hidden.bias", {hidden}},
          {"neighbour.output.weight", {1, hidden}},
          {"query.weight", {1, width}},
          {"log_temperature", {1}}};
}

at::Tensor masked(const at::Tensor& values, const at::Tensor& usable) {
  return values.masked_fill(usable.logical_not(), 0);
}

}  // namespace

NeighbourFeatures features_of(const MixingQueries& queries, const index::TopK& found) {
  const at::Tensor& log_probs = queries.log_probs;
  const at::Tensor usable = (found.ids >= 0).logical_and(found.distances.isfinite());
  // Those of an unusable id are not looked at; a token beyond the vocabulary is found when the
  // neighbours are mixed in.
  const at::Tensor tokens =
      found.ids.bitwise_right_shift(core::entry_number_bits).clamp(0, log_probs.size(1) - 1);
  const at::Tensor seen_before = (tokens.unsqueeze(2) == tokens.unsqueeze(1)).tril(-1).any(2);
  return {masked(found.distances, usable),
          usable,
          seen_before.logical_not().logical_and(usable).cumsum(1).to(at::kFloat),
          log_probs.gather(1, tokens),
          best_log_probs(log_probs),
          normalised_queries(queries.vectors)};
}

PolicyNetwork PolicyNetwork::create(PolicyKind kind, Size size, const at::Tensor& distances,
                                    double temperature, std::uint64_t seed) {
  PolicyNetwork network(kind, size.k);
  const at::Tensor numbers = distances.to(at::kDouble);
  KNNSEQ_ASSERT(numbers.numel() > 1, "distances of several neighbours");
  network.distances_ = at::stack({numbers.mean(), numbers.std().clamp_min(1e-6)}).to(at::kFloat);
  network.parameters_ = random_weights(shapes_of(kind, size, hidden_units), seed);
  network.parameters_["output.weight"].mul_(0.1);
  network.parameters_["log_temperature"].fill_(std::log(temperature));
  return network;
}

PolicyNetwork PolicyNetwork::load(const std::filesystem::path& file, PolicyKind kind) {
  const model::SafetensorsFile tensors(file);
  const std::string prefix = std::string(core::name_of(kind)) + ".";
  const auto read = [&](const std::string& name, const std::vector<std::int64_t>& shape) {
    return read_weight(tensors, prefix + name, shape);
  };
  const at::Tensor hidden = read("hidden.weight", {});
  const std::int64_t of_each = kind == PolicyKind::robust ? 3 : 2;  // features of a neighbour
  const std::int64_t other = kind == PolicyKind::robust ? 2 : 0;
  if (hidden.dim() != 2 || hidden.size(0) == 0 || hidden.size(1) <= other ||
      (hidden.size(1) - other) % of_each != 0) {
    throw core::InputError(fmt::format("{}: tensor '{}hidden.weight'", tensors.path(), prefix),
                           fmt::format("has shape [{}]: not that of a {} policy",
                                       fmt::join(hidden.sizes(), ", "), core::name_of(kind)));
  }
  PolicyNetwork network(kind, (hidden.size(1) - other) / of_each);
  Size size{network.k_, 0};
  if (kind == PolicyKind::robust) {
    const at::Tensor query = read("query.weight", {});
    size.width = query.dim() == 2 ? query.size(1) : 0;
  }
  for (const auto& [name, shape] : shapes_of(kind, size, hidden.size(0))) {
    network.parameters_[name] = read(name, shape);
  }
  network.distances_ = read(distances_name, {2});
  if (!(network.distances_[1].item<float>() > 0)) {
    throw core::InputError(fmt::format("{}: tensor '{}{}'", tensors.path(), prefix, distances_name),
                           "holds a deviation that is not positive");
  }
  return network;
}

void PolicyNetwork::save(const std::filesystem::path& file) const {
  const std::string prefix = std::string(core::name_of(kind_)) + ".";
  std::map<std::string, at::Tensor> tensors = {{prefix + distances_name, distances_}};
  for (const auto& [name, values] : parameters_) tensors[prefix + name] = values.detach();
  model::write_safetensors(file, tensors);
}

PolicyNetwork PolicyNetwork::to(at::Device device) const {
  PolicyNetwork there = *this;
  there.distances_ = distances_.to(device);
  for (auto& [name, values] : there.parameters_) values = values.to(device);
  return there;
}

PolicyNetwork PolicyNetwork::to(at::ScalarType dtype) const {
  PolicyNetwork there = *this;
  there.distances_ = distances_.to(dtype);
  for (auto& [name, values] : there.parameters_) values = values.to(dtype);
  return there;
}

at::Tensor PolicyNetwork::standardise(const NeighbourFeatures& features) const {
  const at::Tensor z = (features.distances.to(distances_.dtype()) - distances_[0]) / distances_[1];
  return z.clamp(-farthest, farthest).masked_fill(features.usable.logical_not(), farthest);
}

NeighbourWeights PolicyNetwork::weigh(const NeighbourFeatures& features) const {
  const auto& own = *this;
  KNNSEQ_ASSERT(features.distances.size(1) == k_, "as many neighbours as the network was made for");
  if (kind_ == PolicyKind::robust && features.queries.size(1) != own["query.weight"].size(1)) {
    throw core::InputError(fmt::format(
        "the policy's network was trained for queries of {} numbers, this model's have {}",
        own["query.weight"].size(1), features.queries.size(1)));
  }
  NeighbourFeatures in = features;
  in.distances = features.distances.to(distances_.dtype());
  in.distinct = features.distinct.to(distances_.dtype());
  in.log_probs = features.log_probs.to(distances_.dtype());
  in.best = features.best.to(distances_.dtype());
  in.queries = features.queries.to(distances_.dtype());
  return kind_ == PolicyKind::meta_k ? own.weigh_by_k(in) : own.weigh_each(in);
}

NeighbourWeights PolicyNetwork::weigh_by_k(const NeighbourFeatures& features) const {
  const auto& own = *this;
  const at::Tensor input = at::cat({standardise(features), features.distinct / k_}, 1);
  const at::Tensor hidden = hidden_layer(input, own["hidden.weight"], own["hidden.bias"]);
  const at::Tensor of_k =
      at::linear(hidden, own["output.weight"], own["output.bias"]).softmax(1).slice(1, 1);
  // Softmax over the first k_j for all j at once: one exponential a neighbour, divided by sums of
  // the first ones.
  const at::Tensor nearer = features.distances.select(1, 0).unsqueeze(1) - features.distances;
  const at::Tensor powers = masked((nearer / own["log_temperature"].exp()).exp(), features.usable);
  const at::Tensor choices = at::tensor(choices_of_k(k_), of_k.options().dtype(at::kLong));
  const at::Tensor sums = powers.cumsum(1).index_select(1, choices - 1).clamp_min(tiny);
  const at::Tensor among_first =
      (at::arange(k_, choices.options()) < choices.unsqueeze(1)).to(of_k.dtype());  // [choices, K]
  const at::Tensor weights = powers * (of_k / sums).matmul(among_first);
  return {of_k.sum(1).clamp_max(most_lambda), weights / weights.sum(1, true).clamp_min(tiny)};
}

NeighbourWeights PolicyNetwork::weigh_each(const NeighbourFeatures& features) const {
  const auto& own = *this;
  const at::Tensor z = standardise(features);
  const at::Tensor confidence = scaled_logarithm(features.log_probs.masked_fill(
      features.usable.logical_not(), -std::numeric_limits<double>::infinity()));
  const at::Tensor best = scaled_logarithm(features.best);
  const at::Tensor hidden = hidden_layer(at::cat({z, features.distinct / k_, confidence, best}, 1),
                                         own["hidden.weight"], own["hidden.bias"]);
  const at::Tensor output = at::linear(hidden, own["output.weight"], own["output.bias"]);
  const at::Tensor change = output.select(1, 1).clamp(-largest_change_of_t, largest_change_of_t);
  const at::Tensor temperature = (own["log_temperature"] + change).exp().unsqueeze(1);
  const at::Tensor best_of_each = best.unsqueeze(1).expand({z.size(0), k_, best.size(1)});
  const at::Tensor of_neighbour = hidden_layer(
      at::cat({at::stack({z, confidence}, 2), best_of_each}, 2), own["neighbour.hidden.weight"],
      own["neighbour.hidden.bias"]);  // [q, K, H]
  const at::Tensor correction = at::linear(of_neighbour, own["neighbour.output.weight"]).squeeze(2);
  const at::Tensor nearer = features.distances.select(1, 0).unsqueeze(1) - features.distances;
  const at::Tensor logits =
      (nearer / temperature + correction)
          .masked_fill(features.usable.logical_not(), -std::numeric_limits<double>::infinity());
  const at::Tensor any = features.usable.select(1, 0).unsqueeze(1);  // usable ones come first
  const at::Tensor shares = logits.masked_fill(any.logical_not(), 0).softmax(1);
  const at::Tensor of_query = at::linear(features.queries, own["query.weight"]).squeeze(1);
  return {(output.select(1, 0) + of_query).sigmoid().clamp_max(most_lambda),
          masked(shares, features.usable)};
}

}  // namespace knnseq::retrieval
