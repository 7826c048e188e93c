#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include <fmt/format.h>

#include "core/entry_id.hpp"
#include "core/error.hpp"
#include "retrieval/mixing/interpolation.hpp"

namespace knnseq::retrieval {

namespace {

struct TokenShare {
  core::TokenId token;
  float share;
};

/// The neighbours' shares added up by token, in the order of the tokens' first neighbours.
std::vector<TokenShare> by_token(const std::vector<NeighbourShare>& neighbours,
                                 std::int64_t vocabulary) {
  std::vector<TokenShare> tokens;
  for (const auto& [neighbour, share] : neighbours) {
    const core::TokenId token = core::token_of(neighbour.id);
    require_in_vocabulary(token, vocabulary);
    const auto known = std::find_if(tokens.begin(), tokens.end(),
                                    [&](const auto& other) { return other.token == token; });
    if (known == tokens.end()) {
      tokens.push_back({token, share});
    } else {
      known->share += share;
    }
  }
  return tokens;
}

float log_add_exp(float a, float b) {
  const float larger = std::max(a, b);
  if (std::isinf(larger)) return larger;
  return larger + std::log1p(std::exp(std::min(a, b) - larger));
}

void interpolate_row(std::span<float> log_probs, const std::vector<TokenShare>& tokens,
                     float lambda) {
  const float log_rest = std::log1p(-lambda);  // −inf for λ = 1
  if (lambda == 1) {
    std::fill(log_probs.begin(), log_probs.end(), log_rest);  // also if p_mt is 0
  } else {
    for (float& value : log_probs) value += log_rest;
  }
  for (const TokenShare& token : tokens) {
    float& value = log_probs[token.token];
    value = log_add_exp(value, std::log(lambda) + std::log(token.share));
  }
}

/// A query's row of a [q, k] tensor, which must be contiguous; null if it is undefined.
const float* row_of(const at::Tensor& values, std::int64_t query) {
  return values.defined() ? values.const_data_ptr<float>() + query * values.size(1) : nullptr;
}

void divide_by_sum(std::vector<NeighbourShare>& neighbours) {
  float sum = 0;
  for (const NeighbourShare& neighbour : neighbours) sum += neighbour.share;
  for (NeighbourShare& neighbour : neighbours) neighbour.share /= sum;
}

std::vector<NeighbourShare> given_shares(std::span<const float> distances,
                                         std::span<const std::int64_t> ids,
                                         const at::Tensor& shares, const float* log_weights) {
  const at::Tensor row = shares.contiguous();
  const auto* share = row.const_data_ptr<float>();
  std::vector<NeighbourShare> result;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (!(share[i] > 0)) continue;
    const float factor = log_weights == nullptr ? 1 : std::exp(log_weights[i]);
    result.push_back({{distances[i], ids[i]}, share[i] * factor});
  }
  if (log_weights != nullptr) divide_by_sum(result);
  return result;
}

}  // namespace

void require_in_vocabulary(std::int64_t token, std::int64_t vocabulary) {
  if (token >= 0 && token < vocabulary) return;
  throw core::InputError(
      fmt::format("the datastore holds token {}, but the model's vocabulary has {} tokens: it "
                  "was not made with this model",
                  token, vocabulary));
}

std::vector<NeighbourShare> neighbour_shares(const index::TopK& found, std::int64_t query,
                                             const Mixing& how) {
  const auto [distances, ids] = found.row(query);
  const float* log_weights = row_of(how.log_weights, query);
  if (how.shares.defined()) return given_shares(distances, ids, how.shares[query], log_weights);
  const float temperature = how.temperature.of(query);
  auto k = ids.size();
  if (how.k.defined()) {
    k = std::min(k, static_cast<std::size_t>(how.k.const_data_ptr<std::int64_t>()[query]));
  }
  float best = -std::numeric_limits<float>::infinity();
  float most = best;  // of the logarithms of weighted shares
  std::vector<NeighbourShare> result;
  for (std::size_t i = 0; i < k; ++i) {
    if (!is_usable(distances[i], ids[i], how.threshold)) continue;
    const float score = -distances[i];
    const float weighted = log_weights == nullptr ? 0 : score / temperature + log_weights[i];
    result.push_back({{distances[i], ids[i]}, weighted});
    best = std::max(best, score);
    most = std::max(most, weighted);
  }
  if (result.empty() || (how.threshold && !(best > *how.threshold))) return {};
  for (auto& [neighbour, share] : result) {
    const float score = -neighbour.distance;
    share = std::exp(log_weights == nullptr ? (score - best) / temperature : share - most);
  }
  divide_by_sum(result);
  return result;
}

void interpolate_cpu(const at::Tensor& log_probs, const index::TopK& found, const Mixing& how) {
  KNNSEQ_ASSERT(log_probs.dim() == 2 && log_probs.scalar_type() == at::kFloat &&
                    log_probs.is_contiguous() && found.queries() == log_probs.size(0) &&
                    found.ids.sizes() == found.distances.sizes(),
                "log-probabilities [q, V], neighbours [q, k]");
  const auto vocabulary = static_cast<std::size_t>(log_probs.size(1));
  auto* row = log_probs.mutable_data_ptr<float>();
  for (std::int64_t query = 0; query < log_probs.size(0); ++query, row += vocabulary) {
    const float lambda = how.lambda.of(query);
    if (lambda == 0) continue;
    const auto neighbours = neighbour_shares(found, query, how);
    if (neighbours.empty()) continue;
    interpolate_row({row, vocabulary}, by_token(neighbours, log_probs.size(1)), lambda);
  }
}

}  // namespace knnseq::retrieval
