// p = (1 − λ) p_mt + λ p_knn: the model's distribution mixed with that of the neighbours
// (Khandelwal et al., ICLR 2021). p_knn is the softmax of score / T over the usable ones among the
// k nearest neighbours, summed by token; a neighbour's score is minus its distance. A policy may
// set the neighbours' shares of p_knn itself.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>
#include <vector>

#include <ATen/ATen.h>

#include "gpu/compute_path.hpp"
#include "index/core/top_k.hpp"

namespace knnseq::retrieval {

/// A number for all queries, or one for each.
struct PerQuery {
  float all = 0;
  at::Tensor each = {};  ///< fp32 [q] on the device of the log-probs; undefined: `all` is used

  float of(std::int64_t query) const {  ///< in the host's memory
    return each.defined() ? each.const_data_ptr<float>()[query] : all;
  }
};

/// How the neighbours of some queries count.
struct Mixing {
  PerQuery lambda = {};       ///< weight of p_knn, in [0, 1]
  PerQuery temperature = {};  ///< T, positive
  at::Tensor k = {};          ///< int64 [q]: how many of the nearest are used; undefined: all found
  /// fp32 [q, k]: each neighbour's share of p_knn, 0 for those that are not usable; those of a
  /// query sum to 1, or to 0: then it keeps the model's distribution. Undefined: shares follow from
  /// T, k and the threshold.
  at::Tensor shares = {};
  /// fp32 [q, k]: logarithms of factors on the neighbours' shares before these are made to sum to
  /// 1, whether they follow from T or are given (EntryWeights); undefined: all factors are 1.
  at::Tensor log_weights = {};
  /// Neighbours scoring below it are not usable; a query whose best score is not above it keeps the
  /// model's distribution.
  std::optional<float> threshold = {};
};

/// Whether a neighbour counts at all.
inline bool is_usable(float distance, std::int64_t id, std::optional<float> threshold) {
  return id != index::missing_id && std::isfinite(distance) &&
         !(threshold && -distance < *threshold);
}

/// log_probs [q, V] (fp32, contiguous) becomes log((1 − λ) p_mt + λ p_knn), in place. Only the at
/// most k tokens of a query's neighbours get a log-add-exp; the rest shifts by log(1 − λ) (−inf for
/// λ = 1). A query without usable neighbours stays as it is. All lie on one device.
/// Throws core::InputError if a usable neighbour's token is not in the vocabulary.
void interpolate_cpu(const at::Tensor& log_probs, const index::TopK& found, const Mixing& how);

/// The same by operators on tensors of any device, which a GPU runs one after another while the
/// host goes on. Sums have a fixed order: the same values give the same bits. Memory: [q, k, min(k,
/// 64)]. Instead of throwing it returns the greatest token that a usable neighbour has, int64 [] on
/// the device; −1 if there is none. A token beyond the vocabulary spoils its query's distribution,
/// so the caller must look at the result (require_in_vocabulary()) before it uses log_probs.
at::Tensor interpolate_torch(const at::Tensor& log_probs, const index::TopK& found,
                             const Mixing& how);

/// Throws core::InputError if a neighbour's token is not in the model's vocabulary.
void require_in_vocabulary(std::int64_t token, std::int64_t vocabulary);

/// The same formula for one token, in double.
inline double interpolated(double p_mt, double p_knn, double lambda) {
  return (1 - lambda) * p_mt + lambda * p_knn;
}

/// One neighbour's share of p_knn.
struct NeighbourShare {
  index::Neighbour neighbour;
  float share = 0;
};

/// The usable neighbours of a query with their shares (sum 1), in the order given; none if the
/// query keeps the model's distribution. In the host's memory.
std::vector<NeighbourShare> neighbour_shares(const index::TopK& found, std::int64_t query,
                                             const Mixing& how);

}  // namespace knnseq::retrieval
