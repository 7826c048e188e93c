// A finished translation.
#pragma once

#include <vector>

#include "core/types.hpp"

namespace knnseq::search {

struct Hypothesis {
  std::vector<core::TokenId> tokens;   ///< with EOS at the end
  double score = 0.0;                  ///< Σ log-probs / length^length_penalty, EOS counted
  std::vector<float> token_log_probs;  ///< of each token, after interpolation
};

}  // namespace knnseq::search
