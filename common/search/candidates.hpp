// The best continuations of the hypotheses of each sentence, and the order in which they stand.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include <ATen/ATen.h>

#include "core/types.hpp"

namespace knnseq::search {

constexpr float minus_infinity = -std::numeric_limits<float>::infinity();

/// A hypothesis and a token that would continue it.
struct Candidate {
  float score = 0.0f;  ///< the hypothesis's sum of log-probs with this token, fp32
  std::int32_t beam = 0;
  core::TokenId token = 0;

  /// The rule for ties: by score descending, then beam, then token. candidates_torch.cpp has the
  /// same order in operators on tensors.
  bool operator<(const Candidate& other) const {
    if (score != other.score) return score > other.score;
    return beam != other.beam ? beam < other.beam : token < other.token;
  }
};

/// A candidate with its token's own log-prob.
struct Continuation {
  Candidate candidate;
  float log_prob = 0.0f;
};

/// For each sentence the `count` best of scores[row] + log_probs[row][token], best first; fewer if
/// there are not that many above −∞ (−∞ and NaN are no candidates). log_probs: fp32 [rows, V],
/// contiguous; scores: one for each row, fp32; `beams` consecutive rows for a sentence.
/// In the host's memory.
std::vector<std::vector<Continuation>> best_continuations_cpu(const at::Tensor& log_probs,
                                                              const std::vector<float>& scores,
                                                              std::int64_t beams,
                                                              std::int64_t count);
/// On any device. A few candidates come to the host, in one copy; in a second one if so many scores
/// are equal that the first cut went through them.
std::vector<std::vector<Continuation>> best_continuations_torch(const at::Tensor& log_probs,
                                                                const std::vector<float>& scores,
                                                                std::int64_t beams,
                                                                std::int64_t count);

}  // namespace knnseq::search
