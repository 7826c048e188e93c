#include "metrics/bleu.hpp"

#include <cmath>
#include <vector>

#include <fmt/format.h>

#include "metrics/line_pairs.hpp"
#include "metrics/ngram_matches.hpp"
#include "metrics/tokenizer_13a.hpp"

namespace knnseq::metrics {

namespace {

double brevity_penalty(const BleuStatistics& s) {
  if (s.hypothesis_length >= s.reference_length) return 1;
  if (s.hypothesis_length == 0) return 0;
  return std::exp(1 - static_cast<double>(s.reference_length) /
                          static_cast<double>(s.hypothesis_length));
}

}  // namespace

BleuStatistics& BleuStatistics::operator+=(const BleuStatistics& other) {
  for (std::size_t n = 0; n < bleu_order; ++n) {
    counts[n] += other.counts[n];
    totals[n] += other.totals[n];
  }
  hypothesis_length += other.hypothesis_length;
  reference_length += other.reference_length;
  return *this;
}

BleuStatistics bleu_statistics(std::string_view hypothesis, std::string_view reference) {
  return bleu_statistics(tokenize_13a(hypothesis), tokenize_13a(reference));
}

BleuStatistics bleu_statistics(const Words& hypothesis, const Words& reference) {
  WordNumbers numbers;
  const auto ours = number_words(hypothesis, numbers);
  const auto theirs = number_words(reference, numbers);
  BleuStatistics result;
  for (std::size_t n = 0; n < bleu_order; ++n) {
    const auto found = match_ngrams<std::int64_t>(ours, theirs, n + 1);
    result.counts[n] = found.matches;
    result.totals[n] = found.hypothesis;
  }
  result.hypothesis_length = static_cast<std::int64_t>(ours.size());
  result.reference_length = static_cast<std::int64_t>(theirs.size());
  return result;
}

BleuScore bleu_score(const BleuStatistics& s) {
  BleuScore result{.counts = s.counts,
                   .totals = s.totals,
                   .brevity_penalty = brevity_penalty(s),
                   .hypothesis_length = s.hypothesis_length,
                   .reference_length = s.reference_length};
  if (s.counts[0] == 0) return result;  // no word matches, so nothing longer does

  // "exp" smoothing (Chen and Cherry, 2014, method 3): the i-th order without a match counts 1/2^i.
  double log_sum = 0;
  double smoothed_match = 1;
  for (std::size_t n = 0; n < bleu_order; ++n) {
    if (s.totals[n] == 0) return result;  // no n-gram of this order at all: the score is 0
    if (s.counts[n] == 0) smoothed_match /= 2;
    const double matches = s.counts[n] > 0 ? static_cast<double>(s.counts[n]) : smoothed_match;
    result.precisions[n] = 100 * matches / static_cast<double>(s.totals[n]);
    log_sum += std::log(result.precisions[n]);
  }
  result.score = result.brevity_penalty * std::exp(log_sum / bleu_order);
  return result;
}

BleuScore corpus_bleu(std::span<const std::string> hypotheses,
                      std::span<const std::string> references) {
  const auto of_line = [](std::string_view hypothesis, std::string_view reference) {
    return bleu_statistics(hypothesis, reference);
  };
  return bleu_score(sum_over_lines<BleuStatistics>(hypotheses, references, of_line));
}

BleuScore corpus_bleu(const BleuTokenizer& tokenizer, std::span<const std::string> hypotheses,
                      std::span<const std::string> references) {
  if (hypotheses.size() != references.size()) {
    throw core::InputError(
        fmt::format("{} hypotheses, but {} references", hypotheses.size(), references.size()));
  }
  const auto ours = tokenizer.tokenize(hypotheses);
  const auto theirs = tokenizer.tokenize(references);
  BleuStatistics sum;
  for (std::size_t i = 0; i < ours.size(); ++i) sum += bleu_statistics(ours[i], theirs[i]);
  return bleu_score(sum);
}

std::string bleu_signature(const std::string& tokenizer) {
  return fmt::format("nrefs:1|case:mixed|eff:no|tok:{}|smooth:exp|version:knnseq-" KNNSEQ_VERSION,
                     tokenizer);
}

}  // namespace knnseq::metrics
