#include "search/sentence_beam.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/error.hpp"

namespace knnseq::search {

SentenceBeam::Live SentenceBeam::extend(const Continuation& continuation) const {
  const auto& [candidate, log_prob] = continuation;
  Live made = live_[candidate.beam];
  made.tokens.push_back(candidate.token);
  made.log_probs.push_back(log_prob);
  made.score = candidate.score;
  return made;
}

void SentenceBeam::finish(Live hypothesis) {
  const auto length = static_cast<double>(hypothesis.tokens.size());
  // fp32, as fairseq normalises, so that what is equal there is equal here.
  const float score =
      hypothesis.score / static_cast<float>(std::pow(length, options_->length_penalty));
  done_.push_back({std::move(hypothesis.tokens), score, std::move(hypothesis.log_probs)});
}

std::vector<std::int64_t> SentenceBeam::advance(std::span<const Continuation> best,
                                                const SpecialTokens& special) {
  const auto beam = static_cast<std::size_t>(options_->beam);
  if (best.empty() && done_.empty()) {
    throw core::Error(core::ExitCode::failure,
                      "beam search: no continuation has a finite log-probability");
  }
  std::vector<Live> next;
  std::vector<std::int64_t> origins;
  for (std::size_t rank = 0; rank < best.size(); ++rank) {
    const Candidate& candidate = best[rank].candidate;
    if (candidate.token == special.eos) {
      if (rank < beam && done_.size() < beam) finish(extend(best[rank]));
    } else if (next.size() < beam) {
      next.push_back(extend(best[rank]));
      origins.push_back(candidate.beam);
    }
  }
  finished_ = done_.size() == beam || next.empty();
  if (finished_) return {};
  // Too few continuations (a tiny vocabulary): dead hypotheses keep the sentence's row count.
  while (next.size() < beam) {
    next.push_back(next.front());
    next.back().score = minus_infinity;
    origins.push_back(origins.front());
  }
  live_ = std::move(next);
  ++length_;
  return origins;
}

std::vector<Hypothesis> SentenceBeam::take_results() {
  std::ranges::stable_sort(done_, std::ranges::greater(), &Hypothesis::score);
  const auto nbest = static_cast<std::size_t>(options_->nbest);
  if (done_.size() > nbest) done_.resize(nbest);
  return std::move(done_);
}

}  // namespace knnseq::search
