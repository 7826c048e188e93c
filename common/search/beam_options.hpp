// Settings of beam search.
#pragma once

#include "model/key_kind.hpp"

namespace knnseq::search {

/// Where the best continuations of a step are selected; of no matter for what they are.
enum class Selection {
  automatic,  ///< where the log-probs are
  by_tensors  ///< by operators on tensors, as on a GPU, also where they are on the CPU
};

/// Defaults are fairseq's; each but `selection` changes results.
struct BeamOptions {
  int beam = 5;
  double length_penalty = 1.0;  ///< hypotheses are ranked by Σ log-probs / length^length_penalty
  /// EOS is forced behind min(max_length_a·|source| + max_length_b, positions − 1) tokens.
  double max_length_a = 0.0;
  int max_length_b = 200;
  int nbest = 1;            ///< hypotheses returned, at most `beam`
  model::KeySpec key = {};  ///< what the kNN step gets as queries
  Selection selection = Selection::automatic;

  /// Throws InputError with one message for each rule that is broken.
  void validate() const;
};

}  // namespace knnseq::search
