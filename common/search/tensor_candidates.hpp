// The best continuations of a block's hypotheses, selected on the device where the log-probs are.
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/ATen.h>

#include "search/candidates.hpp"

namespace knnseq::search {

/// The `count` best continuations of each sentence, as best_candidates() has them: in the order of
/// (score, beam, token), fewer where there are not that many above −∞. log_probs: fp32 [rows, V],
/// contiguous, of any device; scores: one for each row, `beams` consecutive rows for a sentence.
/// All selecting happens on the device and a few candidates come to the host, in one copy; in a
/// second one where so many scores are equal that the first cut went through them.
std::vector<std::vector<Continuation>> best_continuations(const at::Tensor& log_probs,
                                                          const std::vector<float>& scores,
                                                          std::int64_t beams, std::int64_t count);

}  // namespace knnseq::search
