// Corpus BLEU (Papineni et al., 2002) as sacrebleu 2.6 computes it by default.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "metrics/bleu_tokenizer.hpp"

namespace knnseq::metrics {

inline constexpr std::size_t bleu_order = 4;

/// Sufficient statistics of one or more sentences; they add up.
struct BleuStatistics {
  std::array<std::int64_t, bleu_order> counts{};  ///< n-grams of the hypothesis in the reference
  std::array<std::int64_t, bleu_order> totals{};  ///< n-grams of the hypothesis
  std::int64_t hypothesis_length = 0;             ///< tokens
  std::int64_t reference_length = 0;

  BleuStatistics& operator+=(const BleuStatistics& other);
  bool operator==(const BleuStatistics&) const = default;
};

struct BleuScore {
  double score = 0;                             ///< 0 … 100
  std::array<double, bleu_order> precisions{};  ///< 0 … 100, smoothed
  std::array<std::int64_t, bleu_order> counts{};
  std::array<std::int64_t, bleu_order> totals{};
  double brevity_penalty = 1;
  std::int64_t hypothesis_length = 0;
  std::int64_t reference_length = 0;
};

/// Of the words of one line and of its one reference.
BleuStatistics bleu_statistics(const Words& hypothesis, const Words& reference);

/// The same by 13a. Throws InputError if either is not valid UTF-8.
BleuStatistics bleu_statistics(std::string_view hypothesis, std::string_view reference);

/// From summed statistics; 4-grams, exponential smoothing, no effective order.
BleuScore bleu_score(const BleuStatistics& statistics);

/// Of a whole test set, one reference a line. Throws InputError if the numbers of lines differ
/// or a line is not valid UTF-8.
BleuScore corpus_bleu(std::span<const std::string> hypotheses,
                      std::span<const std::string> references);

/// The same on the words of a tokeniser.
BleuScore corpus_bleu(const BleuTokenizer& tokenizer, std::span<const std::string> hypotheses,
                      std::span<const std::string> references);

/// What was computed on the words of a tokeniser of this signature, in sacrebleu's notation; the
/// version is this project's.
std::string bleu_signature(const std::string& tokenizer = "13a");

}  // namespace knnseq::metrics
