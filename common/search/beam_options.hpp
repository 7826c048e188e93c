// Settings of beam search.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/types.hpp"
#include "gpu/compute_path.hpp"
#include "model/base/key_kind.hpp"

namespace knnseq::search {

/// Defaults are fairseq's; each but `path` changes results.
struct BeamOptions {
  int beam = 5;
  double length_penalty = 1.0;  ///< hypotheses are ranked by Σ log-probs / length^length_penalty
  /// EOS is forced after min(max_length_a·|source| + max_length_b, positions − 1) tokens.
  double max_length_a = 0.0;
  int max_length_b = 200;
  int nbest = 1;            ///< hypotheses returned, at most `beam`
  model::KeySpec key = {};  ///< what the kNN step gets as queries
  /// How the best continuations are selected; that of the log-probs' device if it is not given.
  std::optional<gpu::ComputePath> path = {};
  /// Tokens that are never chosen, beside the model's pad and bad tokens.
  std::vector<core::TokenId> never = {};
  /// What each source's translation begins with, behind the model's forced tokens and without EOS.
  /// Empty: no source's begins with anything.
  std::vector<std::vector<core::TokenId>> prefixes = {};

  /// The number of tokens after which EOS is forced, for a source of `source_tokens` tokens (all
  /// special ones included) and a model of `positions` target positions.
  std::int64_t greatest_length(std::int64_t source_tokens, std::int64_t positions) const;
  /// Whether that length comes from the positions, and not from max_length_a and max_length_b.
  bool bound_by_positions(std::int64_t source_tokens, std::int64_t positions) const;

  /// Throws InputError with one message for each rule that is broken.
  void validate() const;
};

}  // namespace knnseq::search
