// Training of the learned policies on true tokens of a text and their queries' neighbours.
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/ATen.h>

#include "retrieval/mixing/policy_network.hpp"
#include "retrieval/mixing/search_gate.hpp"

namespace knnseq::retrieval {

/// n true tokens, in the host's memory.
struct PolicyExamples {
  NeighbourFeatures features;  ///< n rows
  at::Tensor correct;          ///< bool [n, K]: the neighbour's token is the true one
  at::Tensor log_prob;         ///< fp32 [n]: log p_mt of the true token
  at::Tensor held_out;         ///< bool [n]: decides when to stop, and is not trained on

  std::int64_t count() const { return correct.size(0); }
  /// Those whose places [m] (int64) are given.
  PolicyExamples at(const at::Tensor& places) const;
};

/// log((1 − λ) p_mt + λ Σ shares of the neighbours with the true token): [n], in the weights'
/// dtype. Queries without usable neighbours have p_mt.
at::Tensor mixed_log_prob(const NeighbourWeights& weights, const PolicyExamples& examples);

/// Minus the mean of mixed_log_prob().
at::Tensor mixture_loss(const NeighbourWeights& weights, const PolicyExamples& examples);

/// The softmax of −distance / T over the usable neighbours, 0 for others: [n, K].
at::Tensor shares_of(const NeighbourFeatures& features, double temperature);

struct PolicyTraining {
  int most_epochs = 500;
  int patience = 8;  ///< epochs without a better loss on what is held out
  std::int64_t batch = 256;
  double learning_rate = 1e-3;
  double search_cost = 0.02;  ///< of a gate: a search should make a true token so much likelier
  std::uint64_t seed = 1;
};

struct TrainedPolicy {
  PolicyNetwork network;
  int epochs = 0;         ///< after which the loss on what is held out was least
  double loss = 0;        ///< mean over what is held out, natural logarithm
  double model_loss = 0;  ///< the same for the model alone
};

/// Minimises mixture_loss() by Adam over shuffled batches and returns the weights that were best on
/// what is held out. Starts from T = temperature. The same bits for the same number of threads.
/// Throws core::InputError if there are no examples to train on or none held out, or no example has
/// a usable neighbour.
TrainedPolicy train_policy(PolicyKind kind, const PolicyExamples& examples, double temperature,
                           const PolicyTraining& how);

/// −log(s p + (1 − s) p_mt) + cost · s of the true tokens, mean: s, the probability of a search, is
/// σ(logits [n]); p is the mixture's, p_mt the model's.
at::Tensor gate_loss(const at::Tensor& logits, const at::Tensor& log_prob, const at::Tensor& mixed,
                     double cost);

/// A gate that says where the mixture gives true tokens more than the model does, trained as
/// train_policy() trains by gate_loss(). mixed [n]: mixed_log_prob() of the policy that the gate is
/// for. Throws core::InputError as train_policy() does.
SearchGate train_gate(const PolicyExamples& examples, const at::Tensor& mixed,
                      const PolicyTraining& how);

/// The τ among 0.5 to 8 times the mean nearest distance, in steps of a factor of √2, and the
/// temperature among those given, that make the examples likeliest under the policy distance.
struct DistanceSetting {
  double tau = 0, temperature = 0;
  double loss = 0;  ///< as TrainedPolicy's, over all examples
};
DistanceSetting fit_distance_policy(const PolicyExamples& examples,
                                    const std::vector<float>& temperatures);

}  // namespace knnseq::retrieval
