// Weights of the corpora of a datastore.
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/ATen.h>

#include "index/core/top_k.hpp"

namespace knnseq::retrieval {

/// Entries with consecutive numbers that have one weight.
struct WeightedEntries {
  std::int64_t first = 0;  ///< number of the first; they end where the next begin
  double weight = 1;       ///< positive
};

/// The factor on a neighbour's share of p_knn, before the shares of a query are made to sum to 1,
/// by its entry number: the weight of the corpus that it comes from.
class EntryWeights {
 public:
  EntryWeights() = default;  ///< all weights are 1
  /// `entries` ascend and begin with entry 0.
  explicit EntryWeights(const std::vector<WeightedEntries>& entries);

  /// Whether all weights are 1.
  bool equal() const { return !log_weights_.defined(); }
  /// Logarithms of the neighbours' weights, fp32 [q, k], where the neighbours lie; undefined if
  /// all weights are 1. Those of missing neighbours mean nothing.
  at::Tensor of(const index::TopK& found) const;

 private:
  at::Tensor starts_;       ///< int64 [n − 1]: first entries, but for 0
  at::Tensor log_weights_;  ///< fp32 [n]
};

}  // namespace knnseq::retrieval
