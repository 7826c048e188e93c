// Interpolates the model's distribution with that of the neighbours (Khandelwal et al., ICLR 2021).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <ATen/ATen.h>

#include "retrieval/mixing/knn_options.hpp"

namespace knnseq::retrieval {

/// One neighbour's share of p_knn.
struct NeighbourProbability {
  std::int64_t id = 0;  ///< packed entry id
  float score = 0;
  float probability = 0;  ///< softmax of score / temperature over the usable neighbours
};

/// The usable neighbours of one query with their probabilities (sum 1), in the order given: not
/// missing, and not below the threshold. None where the query keeps the model's distribution.
std::vector<NeighbourProbability> neighbour_probabilities(std::span<const float> scores,
                                                          std::span<const std::int64_t> ids,
                                                          const KnnOptions& options);

/// log_probs [q, V] (fp32, contiguous) becomes log((1 − λ) p_mt + λ p_knn), in place; scores fp32
/// [q, k], ids int64 [q, k]. Only the at most k touched tokens of a query get a log-add-exp; the
/// rest shifts by log(1 − λ) (−inf for λ = 1). A query without usable neighbours stays as it is.
/// Throws core::InputError where a neighbour's token is not in the vocabulary.
void interpolate(at::Tensor& log_probs, const at::Tensor& scores, const at::Tensor& ids,
                 const KnnOptions& options);

/// Throws core::InputError where a neighbour's token is not in the model's vocabulary.
void require_in_vocabulary(std::int64_t token, std::int64_t vocabulary);

}  // namespace knnseq::retrieval
