// What may not be chosen in a step.
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/ATen.h>

#include "core/types.hpp"

namespace knnseq::search {

/// Tokens that a search treats specially.
struct SpecialTokens {
  core::TokenId eos = 0;
  std::vector<core::TokenId> never = {};  ///< pad, the model's bad tokens and the options' own
  std::vector<core::TokenId> first = {};  ///< what every hypothesis starts with, at a log-prob of 0
};

/// The masks of a step (fairseq's, see beam_search.hpp) for all rows of a block, on any device.
class Masks {
 public:
  explicit Masks(SpecialTokens special) : special_(std::move(special)), never_() {}

  const SpecialTokens& special() const { return special_; }

  /// Sets what may not be chosen to −∞ in log_probs, fp32 [rows, V]. While there are given first
  /// tokens only the next of these is left, at 0. Behind them a row at_end [rows] keeps EOS alone;
  /// all others lose the tokens that are never chosen and, at length 0, EOS. length: of all
  /// hypotheses, in tokens; at_end: 1 if the sentence has its greatest length.
  void apply(const at::Tensor& log_probs, std::int64_t length,
             const std::vector<std::uint8_t>& at_end);

 private:
  SpecialTokens special_;
  at::Tensor never_;  ///< int64, on the device of the log-probs
};

}  // namespace knnseq::search
