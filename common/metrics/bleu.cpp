#include "metrics/bleu.hpp"

#include <cmath>
#include <unordered_map>
#include <vector>

#include <fmt/format.h>

#include "metrics/line_pairs.hpp"
#include "metrics/ngram_matches.hpp"
#include "metrics/tokenizer_13a.hpp"

namespace knnseq::metrics {

namespace {

/// Words as numbers: equal words have equal numbers.
using WordNumbers = std::unordered_map<std::string, std::int64_t>;

std::vector<std::int64_t> number_words(std::string_view line, WordNumbers& numbers) {
  std::vector<std::int64_t> result;
  for (std::string& word : tokenize_13a(line)) {
    const auto next = static_cast<std::int64_t>(numbers.size());
    result.push_back(numbers.try_emplace(std::move(word), next).first->second);
  }
  return result;
}

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
  return bleu_score(sum_over_lines<BleuStatistics>(hypotheses, references, bleu_statistics));
}

std::string bleu_signature() {
  return "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:knnseq-" KNNSEQ_VERSION;
}

}  // namespace knnseq::metrics
