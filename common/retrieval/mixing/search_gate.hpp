// A gate before the search: which queries need not be searched, since the model does as well
// without neighbours or better.
//
// The gate gives the probability that a search is worth it, from the query and the model's own
// confidence:
//   s = σ(w₁ q + w₂ tanh(W₃ b + b₃) + b₂)                         w₁ [width], W₃ [16, 2], w₂ [16]
// with q and b as in policy_network.hpp. It is trained on the true tokens of a validation text:
// gate_loss() in policy_training.hpp. Deciding before the search whether to search is from adaptive
// retrieval (Martins et al., SPNLP 2022), where the network predicts λ.
#pragma once

#include <filesystem>

#include <ATen/ATen.h>

#include "retrieval/mixing/mixing_policy.hpp"
#include "retrieval/mixing/network_weights.hpp"

namespace knnseq::retrieval {

class SearchGate {
 public:
  /// To be trained, for queries of so many numbers.
  static SearchGate create(std::int64_t width, std::uint64_t seed);
  /// Reads what save() wrote. Throws core::InputError naming file and tensor if one is missing, of
  /// another shape or dtype, or not finite.
  static SearchGate load(const std::filesystem::path& file);
  void save(const std::filesystem::path& file) const;
  /// Weights that are there already are shared, not copied.
  SearchGate to(at::Device device) const;

  /// log (s / (1 − s)) of queries (normalised_queries()) whose model's best choices
  /// (best_log_probs()) are given: [q]. Throws core::InputError for queries of another width.
  at::Tensor logits(const at::Tensor& queries, const at::Tensor& best) const;

  NetworkWeights& parameters() { return parameters_; }
  const NetworkWeights& parameters() const { return parameters_; }

 private:
  NetworkWeights parameters_;
};

/// The policy for the queries whose s is at least `least`; the others are not searched.
std::unique_ptr<MixingPolicy> gated(std::unique_ptr<MixingPolicy> policy, SearchGate gate,
                                    double least);

}  // namespace knnseq::retrieval
