// Confidence intervals and significance by bootstrap resampling (Koehn, 2004), with the numbers
// that sacrebleu 2.6 gives for the same seed.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace knnseq::metrics {

/// The sentences in each resample of a test set, drawn with replacement. Systems are compared over
/// the same resamples.
class Resamples {
 public:
  /// number: of resamples; sentences: of the test set, less than 2^32.
  Resamples(std::int64_t number, std::int64_t sentences, std::uint64_t seed);

  std::int64_t number() const { return number_; }
  /// Sentence numbers from 0, as many as the test set has.
  std::span<const std::uint32_t> operator[](std::int64_t i) const;

 private:
  std::int64_t number_;
  std::size_t sentences_;
  std::vector<std::uint32_t> drawn_;  ///< [number, sentences]
};

/// The score of every resample. of_sentence: a system's statistics, sentence by sentence; score:
/// from their sum to a number.
template <class Statistics, class Score>
std::vector<double> score_resamples(std::span<const Statistics> of_sentence,
                                    const Resamples& resamples, Score score) {
  std::vector<double> scores;
  for (std::int64_t i = 0; i < resamples.number(); ++i) {
    Statistics sum;
    for (const auto sentence : resamples[i]) sum += of_sentence[sentence];
    scores.push_back(score(sum));
  }
  return scores;
}

/// The mean over resamples, and half the width of the interval that holds 95 % of them.
struct Interval {
  double mean = 0;
  double half_width = 0;
};
Interval interval_95(std::vector<double> scores);

/// The share of resamples in which the two systems' difference is further from its mean than
/// `difference` (of their scores on the whole test set, absolute); with 1 added to both counts, so
/// never 0. The scores are of the same resamples, at least one.
double paired_p_value(std::span<const double> baseline, std::span<const double> system,
                      double difference);

}  // namespace knnseq::metrics
