// Networks of one hidden layer that decide how much a query's neighbours count: the learned
// policies.
//
// Features of a query with K neighbours, nearest first:
//   z_i = (d_i − mean) / deviation of the distances in the training text, between −8 and 8; 8 for
//         neighbours that are missing
//   c_i = distinct tokens among the first i neighbours / K
//   m_i = log p_mt(v_i) / 5 of the neighbour's token, at least −4; −4 for those that are missing
//   b   = log p_mt / 5 of the model's first two choices, at least −4
//   q   = the query with mean 0 and deviation 1
//
// meta_k (Adaptive kNN-MT, Zheng et al., ACL 2021): with k_0 = 0 and k_j = 1, 2, 4, …, K,
//   w = softmax(W₂ tanh(W₁ [z; c] + b₁) + b₂)                 W₁ [H, 2K], W₂ [1 + number of k_j, H]
//   p = w_0 p_mt + Σ_j w_j softmax(−d_1 … −d_{k_j} over T)
//   The paper's T is a setting; here it is a parameter that is trained with the others.
//
// robust (after Robust kNN-MT, Jiang et al., EMNLP 2022):
//   h = tanh(W₁ [z; c; m; b] + b₁)                                                   W₁ [H, 3K + 2]
//   λ = σ((W₂ h + b₂)_1 + w₅ q),   T_q = T exp((W₂ h + b₂)_2)                W₂ [2, H], w₅ [width]
//   share of neighbour i: softmax_i(−d_i / T_q + w₄ tanh(W₃ [z_i; m_i; b] + b₃))     W₃ [H, 4], w₄
//   [H] The paper makes λ of two scores, corrects neighbours also by the probability that the model
//   gave their token when the datastore was made (which the datastore does not hold), and perturbs
//   the neighbours while it trains. It has no w₅, by which text that the datastore is not for is
//   told apart. docs/policies.md lists all differences.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include <ATen/ATen.h>

#include "index/core/top_k.hpp"
#include "retrieval/mixing/mixing_policy.hpp"
#include "retrieval/mixing/network_weights.hpp"

namespace knnseq::retrieval {

/// What a policy knows of its queries' neighbours: one row a query; all on one device.
struct NeighbourFeatures {
  at::Tensor distances;  ///< fp32 [q, K], 0 where not usable
  at::Tensor usable;     ///< bool [q, K]
  at::Tensor distinct;   ///< fp32 [q, K]: distinct tokens among the first i neighbours
  at::Tensor log_probs;  ///< fp32 [q, K]: log p_mt of the neighbours' tokens
  at::Tensor best;       ///< fp32 [q, 2]: log p_mt of the model's first two choices
  at::Tensor queries;    ///< fp32 [q, width], each with mean 0 and deviation 1
};

/// Of queries and the neighbours found for them, on one device.
NeighbourFeatures features_of(const MixingQueries& queries, const index::TopK& found);

/// What a network decides.
struct NeighbourWeights {
  at::Tensor lambda;  ///< [q], below 1
  at::Tensor shares;  ///< [q, K]: as in Mixing
};

class PolicyNetwork {
 public:
  struct Size {
    std::int64_t k = 0, width = 0;  ///< neighbours and numbers of a query
  };
  /// A network to be trained: small random weights (of the seed), λ near one half, T as given.
  /// distances: usable ones of the training text, which z is made of.
  static PolicyNetwork create(PolicyKind kind, Size size, const at::Tensor& distances,
                              double temperature, std::uint64_t seed);
  /// Reads what save() wrote. Throws core::InputError naming file and tensor if one is missing, of
  /// another shape or dtype, or not finite.
  static PolicyNetwork load(const std::filesystem::path& file, PolicyKind kind);
  /// Writes a safetensors file, a few kilobytes.
  void save(const std::filesystem::path& file) const;

  std::int64_t k() const { return k_; }
  /// NetworkWeights that are there already are shared, not copied.
  PolicyNetwork to(at::Device device) const;
  PolicyNetwork to(at::ScalarType dtype) const;

  /// In the weights' dtype, on their device.
  NeighbourWeights weigh(const NeighbourFeatures& features) const;

  /// What training changes, by name.
  NetworkWeights& parameters() { return parameters_; }
  const NetworkWeights& parameters() const { return parameters_; }

 private:
  PolicyNetwork(PolicyKind kind, std::int64_t k) : kind_(kind), k_(k) {}
  const at::Tensor& operator[](const char* name) const { return parameters_.at(name); }
  at::Tensor standardise(const NeighbourFeatures& features) const;
  NeighbourWeights weigh_by_k(const NeighbourFeatures& features) const;
  NeighbourWeights weigh_each(const NeighbourFeatures& features) const;

  PolicyKind kind_;
  std::int64_t k_;
  at::Tensor distances_;  ///< [2]: mean and deviation
  NetworkWeights parameters_;
};

}  // namespace knnseq::retrieval
