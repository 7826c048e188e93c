// How likely a text's tokens are under many settings of kNN-MT at once.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "comm/communicator.hpp"
#include "core/types.hpp"
#include "index/core/top_k.hpp"

namespace knnseq::retrieval {

/// All combinations of these.
struct SettingsGrid {
  std::vector<std::int64_t> k;  ///< ascending
  std::vector<float> temperature;
  std::vector<float> lambda;       ///< below 1
  std::optional<float> threshold;  ///< as in Mixing

  std::size_t size() const { return k.size() * temperature.size() * lambda.size(); }
};

/// One combination, by its numbers in the grid.
struct GridPoint {
  std::size_t k = 0, temperature = 0, lambda = 0;
};

/// Sums log((1 − λ) p_mt(token) + λ p_knn(token)) over the true tokens of a text for every
/// combination of k, T and λ: what interpolate_cpu() would give, of one token instead of the whole
/// vocabulary. The sums are exact (64-bit fixed point, 2^-30), so that they do not depend on which
/// rank added which token. Log-probabilities below −1000 count as −1000; at most 8 million tokens.
class LikelihoodGrid {
 public:
  explicit LikelihoodGrid(SettingsGrid grid);

  /// One true token: its log-probability in the model's distribution, and the neighbours of its
  /// query, as many as the grid's largest k. log_weights: as in Mixing, [k]; empty: all are 0.
  void add(core::TokenId token, float log_prob, const index::TopKRow& neighbours,
           std::span<const float> log_weights = {});

  /// Adds up the ranks' sums. Collective.
  void reduce(comm::Communicator& comm);

  const SettingsGrid& grid() const { return grid_; }
  std::int64_t tokens() const { return tokens_; }
  /// Mean over the tokens, natural logarithm.
  double log_likelihood(GridPoint point) const;
  /// The same for the model alone.
  double base_log_likelihood() const;

 private:
  std::size_t place(GridPoint point) const;
  void add_to_all_lambdas(GridPoint first, double p_mt, double p_knn);

  SettingsGrid grid_;
  std::vector<std::int64_t> sums_;  ///< [k, temperature, lambda]
  std::int64_t base_sum_ = 0;
  std::int64_t tokens_ = 0;
};

}  // namespace knnseq::retrieval
