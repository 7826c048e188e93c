#include "retrieval/mixing/knn_distribution.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "core/entry_id.hpp"
#include "core/error.hpp"
#include "index/core/top_k.hpp"

namespace knnseq::retrieval {

namespace {

struct TokenProbability {
  core::TokenId token;
  float probability;
};

/// The neighbours' probabilities added up by token, in the order of the tokens' first neighbours.
std::vector<TokenProbability> by_token(const std::vector<NeighbourProbability>& neighbours,
                                       std::int64_t vocabulary) {
  std::vector<TokenProbability> tokens;
  for (const NeighbourProbability& neighbour : neighbours) {
    const core::TokenId token = core::token_of(neighbour.id);
    require_in_vocabulary(token, vocabulary);
    const auto known = std::find_if(tokens.begin(), tokens.end(),
                                    [&](const auto& other) { return other.token == token; });
    if (known == tokens.end()) {
      tokens.push_back({token, neighbour.probability});
    } else {
      known->probability += neighbour.probability;
    }
  }
  return tokens;
}

float log_add_exp(float a, float b) {
  const float larger = std::max(a, b);
  if (std::isinf(larger)) return larger;
  return larger + std::log1p(std::exp(std::min(a, b) - larger));
}

void interpolate_row(std::span<float> log_probs, const std::vector<TokenProbability>& tokens,
                     float lambda) {
  const float log_rest = std::log1p(-lambda);  // −inf for λ = 1
  if (lambda == 1) {
    std::fill(log_probs.begin(), log_probs.end(), log_rest);  // also where p_mt is 0
  } else {
    for (float& value : log_probs) value += log_rest;
  }
  for (const TokenProbability& token : tokens) {
    float& value = log_probs[static_cast<std::size_t>(token.token)];
    value = log_add_exp(value, std::log(lambda) + std::log(token.probability));
  }
}

}  // namespace

void require_in_vocabulary(std::int64_t token, std::int64_t vocabulary) {
  if (token >= 0 && token < vocabulary) return;
  throw core::InputError(
      fmt::format("the datastore holds token {}, but the model's vocabulary has {} tokens: it "
                  "was not made with this model",
                  token, vocabulary));
}

std::vector<NeighbourProbability> neighbour_probabilities(std::span<const float> scores,
                                                          std::span<const std::int64_t> ids,
                                                          const KnnOptions& options) {
  const float threshold = options.threshold.value_or(-std::numeric_limits<float>::infinity());
  float best = -std::numeric_limits<float>::infinity();
  std::vector<NeighbourProbability> result;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] == index::missing_id || !(scores[i] >= threshold) || std::isinf(scores[i])) continue;
    result.push_back({ids[i], scores[i], 0});
    best = std::max(best, scores[i]);
  }
  if (!(best > threshold)) return {};
  float sum = 0;
  for (NeighbourProbability& neighbour : result) {
    neighbour.probability = std::exp((neighbour.score - best) / options.temperature);
    sum += neighbour.probability;
  }
  for (NeighbourProbability& neighbour : result) neighbour.probability /= sum;
  return result;
}

void interpolate(at::Tensor& log_probs, const at::Tensor& scores, const at::Tensor& ids,
                 const KnnOptions& options) {
  KNNSEQ_ASSERT(log_probs.dim() == 2 && log_probs.scalar_type() == at::kFloat &&
                    log_probs.is_contiguous() && scores.is_contiguous() && ids.is_contiguous() &&
                    scores.size(0) == log_probs.size(0) && ids.sizes() == scores.sizes(),
                "log-probabilities [q, V], scores and ids [q, k]");
  if (options.lambda == 0) return;
  const auto vocabulary = static_cast<std::size_t>(log_probs.size(1));
  const auto k = static_cast<std::size_t>(scores.size(1));
  auto* row = log_probs.mutable_data_ptr<float>();
  const float* score = scores.const_data_ptr<float>();
  const auto* id = ids.const_data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < log_probs.size(0); ++i, row += vocabulary, score += k, id += k) {
    const auto neighbours = neighbour_probabilities({score, k}, {id, k}, options);
    if (neighbours.empty()) continue;
    interpolate_row({row, vocabulary}, by_token(neighbours, log_probs.size(1)), options.lambda);
  }
}

}  // namespace knnseq::retrieval
