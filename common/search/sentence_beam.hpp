// One sentence's search: its live hypotheses and its finished ones.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "search/beam_options.hpp"
#include "search/candidates.hpp"
#include "search/hypothesis.hpp"
#include "search/masks.hpp"

namespace knnseq::search {

/// Rules of one step (fairseq's, see beam_search.hpp), independent of any model.
class SentenceBeam {
 public:
  /// EOS is forced after `max_length` tokens.
  SentenceBeam(const BeamOptions& options, std::int64_t max_length)
      : options_(&options), max_length_(max_length) {}

  std::int64_t length() const { return length_; }  ///< tokens of each live hypothesis

  /// Whether the next token is forced: a given first one, or EOS at the greatest length.
  bool forced(const SpecialTokens& special) const {
    return length_ < std::ssize(special.first) || length_ >= max_length_;
  }
  bool finished() const { return finished_; }

  /// Live hypotheses: 1 before the first step, then `beam`, some of them perhaps dead (−∞).
  std::size_t live() const { return live_.size(); }
  core::TokenId last_token(std::size_t beam) const { return live_[beam].tokens.back(); }

  float score(std::size_t beam) const { return live_[beam].score; }
  bool at_greatest_length() const { return length_ >= max_length_; }

  /// Goes on with the 2·beam best continuations, of masked log-probs, best first. Returns the old
  /// hypothesis that each new one continues; empty if the sentence is finished. Throws core::Error
  /// if nothing has a finite score.
  std::vector<std::int64_t> advance(std::span<const Continuation> best,
                                    const SpecialTokens& special);

  /// At most nbest, best first; equal ones in the order in which they finished.
  std::vector<Hypothesis> take_results();

 private:
  struct Live {
    std::vector<core::TokenId> tokens;
    std::vector<float> log_probs;
    float score = 0.0f;
  };

  Live extend(const Continuation& continuation) const;
  void finish(Live hypothesis);

  const BeamOptions* options_;
  std::int64_t max_length_;
  std::int64_t length_ = 0;
  bool finished_ = false;
  std::vector<Live> live_{1};
  std::vector<Hypothesis> done_;
};

}  // namespace knnseq::search
