// What may not be chosen in a step, for all of a block's rows at once.
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/ATen.h>

#include "search/sentence_beam.hpp"

namespace knnseq::search {

/// The masks of SentenceBeam (see beam_search.hpp) as operators on tensors of any device.
class TensorMasks {
 public:
  /// Of one block. The tokens must outlive this.
  explicit TensorMasks(const SpecialTokens& special) : special_(&special) {}

  /// Changes log_probs, fp32 [rows, V]. length: of all hypotheses, in tokens; at_end [rows]: 1
  /// where the sentence has its greatest length.
  void apply(const at::Tensor& log_probs, std::int64_t length,
             const std::vector<std::uint8_t>& at_end);

 private:
  const SpecialTokens* special_;
  at::Tensor never_;  ///< int64, on the device of the log-probs
};

}  // namespace knnseq::search
