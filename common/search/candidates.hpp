// The best continuations of one sentence's hypotheses.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/types.hpp"
#include "core/views.hpp"

namespace knnseq::search {

/// A hypothesis and the token that would go on from it.
struct Candidate {
  float score = 0.0f;  ///< the hypothesis's sum of log-probs with this token
  std::int32_t beam = 0;
  core::TokenId token = 0;
};

/// A candidate with its token's own log-prob.
struct Continuation {
  Candidate candidate;
  float log_prob = 0.0f;
};

/// Better first: by score descending, then beam, then token.
inline bool operator<(const Candidate& a, const Candidate& b) {
  if (a.score != b.score) return a.score > b.score;
  return a.beam != b.beam ? a.beam < b.beam : a.token < b.token;
}

/// The `count` best of all scores[beam] + log_probs[beam][token], best first; fewer where there are
/// not that many above −∞ (−∞ and NaN are no candidates). `log_probs` is [beams, V], `scores` one
/// for each row. Sums are fp32.
std::vector<Candidate> best_candidates(core::MatrixView<const float> log_probs,
                                       std::span<const float> scores, std::size_t count);

}  // namespace knnseq::search
