#include <algorithm>
#include <cmath>
#include <limits>

#include "core/entry_id.hpp"
#include "core/error.hpp"
#include "retrieval/mixing/interpolation.hpp"

namespace knnseq::retrieval {

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr std::int64_t slice = 64;  // neighbours that all others are compared with at a time

/// λ, 1 / T and the like: a number for all queries (Value: float), or fp32 [q, 1] (Value:
/// at::Tensor). Numbers need no copy to the device.
template <class Value>
struct Weights {
  Value lambda, temperature, log_lambda, log_rest;
};

Weights<float> weights_of_all(const Mixing& how) {
  const float lambda = how.lambda.all;
  // −inf for λ = 1
  return {lambda, how.temperature.all, std::log(lambda), std::log1p(-lambda)};
}

Weights<at::Tensor> weights_of_each(const Mixing& how, const at::Tensor& log_probs) {
  const auto column = [&](const PerQuery& value) {
    return value.each.defined() ? value.each.unsqueeze(1)
                                : at::full({log_probs.size(0), 1}, value.all, log_probs.options());
  };
  const at::Tensor lambda = column(how.lambda);
  return {lambda, column(how.temperature), lambda.log(), lambda.neg().log1p()};
}

/// Shifts the log-probs of queries that have neighbours by log(1 − λ).
void shift(const at::Tensor& log_probs, const at::Tensor& any, const Weights<float>& weights) {
  if (weights.lambda == 1) {
    log_probs.masked_fill_(any, weights.log_rest);  // also if p_mt is not a number
  } else {
    log_probs.add_(any, weights.log_rest);  // `any` counts as 0 or 1
  }
}

void shift(const at::Tensor& log_probs, const at::Tensor& any, const Weights<at::Tensor>& weights) {
  log_probs.add_(at::where(any, weights.log_rest, 0.0F));
  log_probs.masked_fill_(any.logical_and(weights.lambda == 1), -infinity);
}

/// Each neighbour's share of p_knn.
struct Shares {
  at::Tensor usable;  ///< bool [q, k]
  at::Tensor any;     ///< bool [q, 1]: whether the query has usable neighbours
  at::Tensor best;    ///< int64 [q, 1]: place of the best
  at::Tensor values;  ///< fp32 [q, k]: 0 for unusable ones
};

template <class Value>
Shares shares_of(const index::TopK& found, const Mixing& how, const Value& temperature) {
  Shares shares;
  if (how.shares.defined()) {
    shares.values = how.shares;
    if (how.log_weights.defined()) {
      const at::Tensor weighted = how.shares * how.log_weights.exp();
      const at::Tensor sum = weighted.sum({1}, true);
      shares.values = at::where(sum > 0, weighted / sum, weighted);
    }
    shares.usable = how.shares > 0;
    shares.any = shares.usable.any(1, true);
    shares.best = how.shares.argmax(1, true);
    return shares;
  }
  // Unusable neighbours get a score of −inf: those that are missing, at no finite distance, or too
  // far; of finite distances −inf is none.
  const at::Tensor scores = at::nan_to_num(found.distances, infinity, infinity, infinity).neg_();
  scores.masked_fill_(found.ids < 0, -infinity);
  if (how.threshold) scores.masked_fill_(scores < *how.threshold, -infinity);
  if (how.k.defined()) {
    scores.masked_fill_(at::arange(found.k(), found.ids.options()) >= how.k.unsqueeze(1),
                        -infinity);
  }
  shares.usable = scores > -infinity;
  const auto [best, place] = scores.max(1, true);
  shares.any = best > how.threshold.value_or(-infinity);
  shares.best = place;
  at::Tensor logs = (scores - best).div_(temperature);
  if (how.log_weights.defined()) logs.add_(how.log_weights);
  shares.values = at::softmax(logs, 1);  // 0 for unusable ones
  return shares;
}

/// Σ of the shares whose neighbours have the token of neighbour i, fp32 [q, k]. Compares all with
/// all: adding by index would take fewer operations, but on a GPU in no deterministic order.
at::Tensor mass_by_token(const at::Tensor& tokens, const at::Tensor& shares) {
  at::Tensor mass;
  for (std::int64_t first = 0; first < tokens.size(1); first += slice) {
    const std::int64_t count = std::min(slice, tokens.size(1) - first);
    const at::Tensor same =
        tokens.unsqueeze(2) == tokens.narrow(1, first, count).unsqueeze(1);  // [q, k, count]
    const at::Tensor part = at::mul(same, shares.narrow(1, first, count).unsqueeze(1)).sum({2});
    mass = mass.defined() ? mass + part : part;
  }
  return mass;
}

template <class Value>
at::Tensor interpolate(const at::Tensor& log_probs, const index::TopK& found, const Mixing& how,
                       const Weights<Value>& weights) {
  const Shares shares = shares_of(found, how, weights.temperature);
  const at::Tensor own = found.ids.bitwise_right_shift(core::entry_number_bits);

  // Unusable neighbours repeat the best one's token, so that all writes to one place write the same
  // value. A query without usable neighbours keeps its value; what it repeats is of no matter but
  // for `greatest`, which may then be an unusable neighbour's.
  const at::Tensor repeated = at::where(shares.usable, own, own.gather(1, shares.best));
  const at::Tensor greatest = repeated.max();
  const at::Tensor tokens = repeated.clamp(0, log_probs.size(1) - 1);
  const at::Tensor mass = mass_by_token(tokens, shares.values);
  shift(log_probs, shares.any, weights);
  const at::Tensor shifted = log_probs.gather(1, tokens);
  const at::Tensor after = at::logaddexp(shifted, mass.log_().add_(weights.log_lambda));
  log_probs.scatter_(1, tokens, at::where(shares.any, after, shifted));
  return greatest;
}

}  // namespace

at::Tensor interpolate_torch(const at::Tensor& log_probs, const index::TopK& found,
                             const Mixing& how) {
  KNNSEQ_ASSERT(log_probs.dim() == 2 && log_probs.scalar_type() == at::kFloat &&
                    log_probs.is_contiguous() && found.queries() == log_probs.size(0) &&
                    found.ids.sizes() == found.distances.sizes(),
                "log-probabilities [q, V], neighbours [q, k]");
  const bool each = how.lambda.each.defined() || how.temperature.each.defined();
  if (found.ids.numel() == 0 || (!how.lambda.each.defined() && how.lambda.all == 0)) {
    return at::full({}, -1, found.ids.options());
  }
  return each ? interpolate(log_probs, found, how, weights_of_each(how, log_probs))
              : interpolate(log_probs, found, how, weights_of_all(how));
}

}  // namespace knnseq::retrieval
