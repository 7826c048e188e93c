#include "retrieval/mixing/tensor_distribution.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/entry_id.hpp"
#include "core/error.hpp"

namespace knnseq::retrieval {

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr std::int64_t slice = 64;  // neighbours that all others are compared with at a time

/// Each neighbour's share of p_knn, fp32 [q, k]: 0 for unusable ones.
struct Shares {
  at::Tensor usable;  ///< bool [q, k]
  at::Tensor any;     ///< bool [q, 1]: whether the query has usable neighbours
  at::Tensor best;    ///< int64 [q, 1]: place of the best
  at::Tensor values;  ///< fp32 [q, k]
};

Shares shares_of(const at::Tensor& scores, const at::Tensor& ids, const KnnOptions& options) {
  const float threshold = options.threshold.value_or(-infinity);
  Shares shares;
  shares.usable = (ids >= 0).logical_and(scores >= threshold).logical_and(scores.isfinite());
  const auto [best, place] = scores.masked_fill(~shares.usable, -infinity).max(1, true);
  shares.any = best > threshold;
  shares.best = place;
  const at::Tensor weights =
      ((scores - best) / options.temperature).exp().masked_fill(~shares.usable, 0);
  shares.values = weights / weights.sum({1}, true);
  return shares;
}

/// Σ of the shares whose neighbours have the token of neighbour i, fp32 [q, k]. By comparing all
/// with all: adding by index would be fewer operations, but on a GPU in an order left to chance.
at::Tensor mass_by_token(const at::Tensor& tokens, const at::Tensor& shares) {
  at::Tensor mass;
  for (std::int64_t first = 0; first < tokens.size(1); first += slice) {
    const std::int64_t count = std::min(slice, tokens.size(1) - first);
    const at::Tensor same =
        tokens.unsqueeze(2) == tokens.narrow(1, first, count).unsqueeze(1);  // [q, k, count]
    const at::Tensor part =
        at::where(same, shares.narrow(1, first, count).unsqueeze(1), 0.0F).sum({2});
    mass = mass.defined() ? mass + part : part;
  }
  return mass;
}

}  // namespace

at::Tensor interpolate_tensors(at::Tensor& log_probs, const at::Tensor& scores,
                               const at::Tensor& ids, const KnnOptions& options) {
  KNNSEQ_ASSERT(log_probs.dim() == 2 && log_probs.scalar_type() == at::kFloat &&
                    log_probs.is_contiguous() && scores.size(0) == log_probs.size(0) &&
                    ids.sizes() == scores.sizes(),
                "log-probabilities [q, V], scores and ids [q, k]");
  if (options.lambda == 0 || ids.numel() == 0) return at::full({}, -1, ids.options());
  const Shares shares = shares_of(scores, ids, options);
  const at::Tensor own = ids.bitwise_right_shift(core::entry_number_bits);
  const at::Tensor greatest = own.masked_fill(~shares.usable.logical_and(shares.any), -1).max();

  // Unusable neighbours stand for the best one's token, so that every write to a place is of the
  // same value. In a query without any the value is what it was.
  const at::Tensor tokens =
      at::where(shares.usable, own, own.gather(1, shares.best)).clamp(0, log_probs.size(1) - 1);
  const at::Tensor mass = mass_by_token(tokens, shares.values);
  const at::Tensor before = log_probs.gather(1, tokens);
  const float log_rest = std::log1p(-options.lambda);  // −inf for λ = 1
  const at::Tensor after = at::logaddexp(before + log_rest, mass.log() + std::log(options.lambda));
  if (options.lambda == 1) {
    log_probs.masked_fill_(shares.any, log_rest);  // also where p_mt is not a number
  } else {
    log_probs.add_(at::where(shares.any, log_rest, 0.0F));
  }
  log_probs.scatter_(1, tokens, at::where(shares.any, after, before));
  return greatest;
}

}  // namespace knnseq::retrieval
