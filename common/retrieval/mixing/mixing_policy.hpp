// Which queries are searched, and how their neighbours count: the rules for λ, T and k.
//
// | knn.policy | λ, and each neighbour's share of p_knn | source |
// |---|---|---|
// | fixed    | λ and T of the config | Khandelwal et al., ICLR 2021 |
// | distance | λ = max(0, 1 − d₀/τ), d₀: distance of the nearest; T of the config | SK-MT, Dai et
// al., ICLR 2023 | | meta_k   | a network's weights of k ∈ {0, 1, 2, 4, …, K} | Adaptive kNN-MT,
// Zheng et al., ACL 2021 | | robust   | a network's λ, T and correction of each neighbour | Robust
// kNN-MT, Jiang et al., EMNLP 2022 |
//
// policy_network.hpp has the networks. A new rule is a class in mixing_policy.cpp that
// make_mixing_policy() chooses by MixingOptions, which stages/shared/options/options.cpp reads from
// the config. Nothing else changes: KnnMixer and both implementations of the formula take what a
// policy decides.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include <ATen/ATen.h>

#include "core/enum_names.hpp"
#include "core/files.hpp"
#include "retrieval/mixing/interpolation.hpp"

namespace knnseq::retrieval {

enum class PolicyKind { fixed, distance, meta_k, robust };

constexpr auto names_of(PolicyKind) {
  return core::enum_names<PolicyKind>({{PolicyKind::fixed, "fixed"},
                                       {PolicyKind::distance, "distance"},
                                       {PolicyKind::meta_k, "meta_k"},
                                       {PolicyKind::robust, "robust"}});
}

/// Whether a policy is a trained network.
constexpr bool is_learned(PolicyKind policy) {
  return policy == PolicyKind::meta_k || policy == PolicyKind::robust;
}

/// What the config says of the mixing, beside the search's k.
struct MixingOptions {
  PolicyKind policy = PolicyKind::fixed;
  float temperature = 100;  ///< T; its scale belongs to metric and model width
  float lambda = 0.5;       ///< fixed: weight of the neighbours' distribution, in [0, 1]
  std::optional<float> threshold = {};  ///< as in Mixing; not of learned policies
  float tau = 0;                        ///< distance: τ, positive
  std::filesystem::path network = {};   ///< learned: a file that PolicyNetwork wrote
  std::filesystem::path gate = {};      ///< of search_gate.hpp; empty: all queries are searched
  double skip = 0;                      ///< queries are not searched if the gate's s is below it

  /// Throws core::InputError; naming the file of network or gate if it is missing or damaged, or
  /// the network was trained for another number of neighbours than k.
  void validate(std::int64_t k) const;
  /// All that makes a difference to translations, by name: inputs of the stages that mix. Network
  /// and gate are named by their fingerprints.
  core::Json inputs() const;
};

/// What a policy can look at, one row a query; all on one device.
struct MixingQueries {
  const at::Tensor& vectors;    ///< [q, d] fp32, fp16 or bf16
  const at::Tensor& log_probs;  ///< fp32 [q, V] of the model alone
};

class MixingPolicy {
 public:
  virtual ~MixingPolicy() = default;

  /// Before the search: the rows whose neighbours are looked for, int64 [n], ascending, on the
  /// queries' device; undefined: all. The other queries keep the model's distribution.
  virtual at::Tensor choose(const MixingQueries& /*queries*/) const { return {}; }

  /// After the search: how the neighbours of the chosen queries count that were found in one
  /// datastore, nearest first. With several datastores p is the mean of what each would give.
  virtual Mixing decide(const MixingQueries& queries, const index::TopK& found) const = 0;
};

/// Of the policy distance: λ = max(0, 1 − d₀/τ) for nearest distances d₀ [q], not above 0.999:
/// where a constraint rules out all neighbours' tokens, something must be left.
at::Tensor distance_lambda(const at::Tensor& nearest, double tau);

/// For log-probs on this device. Throws core::InputError as MixingOptions::validate() for a learned
/// policy.
std::unique_ptr<MixingPolicy> make_mixing_policy(const MixingOptions& options,
                                                 at::Device device = at::kCPU);

/// Changes the λ that a policy decided for each datastore such that interpolating with one after
/// the other gives the mean of (1 − λ) p_mt + λ p_knn over the datastores.
void share_among_datastores(std::vector<Mixing>& mixings);

}  // namespace knnseq::retrieval
