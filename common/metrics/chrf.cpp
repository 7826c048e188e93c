#include "metrics/chrf.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "core/utf8.hpp"
#include "metrics/line_pairs.hpp"
#include "metrics/ngram_matches.hpp"

namespace knnseq::metrics {

namespace {

std::u32string characters(std::string_view line) {
  std::u32string result = core::decode_utf8(line);
  std::erase_if(result, core::is_white_space);
  return result;
}

/// sacrebleu's words for chrF++: one mark of ASCII's punctuation is taken off a word's end, or else
/// off its start.
std::vector<std::string> split_off_punctuation(std::string_view line) {
  constexpr std::string_view marks = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
  const auto is_mark = [&](char c) { return marks.find(c) != marks.npos; };
  std::vector<std::string> words;
  for (const auto word : core::split_words(line)) {
    if (core::character_length(word) == word.size()) {  // of one character
      words.emplace_back(word);
    } else if (is_mark(word.back())) {
      words.emplace_back(word.substr(0, word.size() - 1));
      words.emplace_back(word.substr(word.size() - 1));
    } else if (is_mark(word.front())) {
      words.emplace_back(word.substr(0, 1));
      words.emplace_back(word.substr(1));
    } else {
      words.emplace_back(word);
    }
  }
  return words;
}

void set_order(ChrfStatistics& statistics, std::size_t n, const NgramMatches& found) {
  statistics.hypothesis[n] = found.reference > 0 ? found.hypothesis : 0;
  statistics.reference[n] = found.reference;
  statistics.matches[n] = found.matches;
}

}  // namespace

ChrfStatistics& ChrfStatistics::operator+=(const ChrfStatistics& other) {
  for (std::size_t n = 0; n < chrf_order; ++n) {
    hypothesis[n] += other.hypothesis[n];
    reference[n] += other.reference[n];
    matches[n] += other.matches[n];
  }
  return *this;
}

ChrfStatistics chrf_statistics(std::string_view hypothesis, std::string_view reference,
                               ChrfKind kind) {
  const std::u32string ours = characters(hypothesis);
  const std::u32string theirs = characters(reference);
  ChrfStatistics result;
  for (std::size_t n = 0; n < chrf_characters; ++n) {
    set_order(result, n, match_ngrams<char32_t>(ours, theirs, n + 1));
  }
  if (kind == ChrfKind::chrf) return result;
  WordNumbers numbers;
  const auto our_words = number_words(split_off_punctuation(hypothesis), numbers);
  const auto their_words = number_words(split_off_punctuation(reference), numbers);
  for (std::size_t n = 0; n < chrf_words; ++n) {
    set_order(result, chrf_characters + n,
              match_ngrams<std::int64_t>(our_words, their_words, n + 1));
  }
  return result;
}

double chrf_score(const ChrfStatistics& s) {
  constexpr double beta_squared = 4;
  double precision = 0;
  double recall = 0;
  int orders = 0;  // those that both sides have n-grams of
  for (std::size_t n = 0; n < chrf_order; ++n) {
    if (s.hypothesis[n] == 0 || s.reference[n] == 0) continue;
    const auto matches = static_cast<double>(s.matches[n]);
    precision += matches / static_cast<double>(s.hypothesis[n]);
    recall += matches / static_cast<double>(s.reference[n]);
    ++orders;
  }
  if (orders == 0 || precision + recall == 0) return 0;
  precision /= orders;
  recall /= orders;
  return 100 * (1 + beta_squared) * precision * recall / (beta_squared * precision + recall);
}

double corpus_chrf(std::span<const std::string> hypotheses,
                   std::span<const std::string> references) {
  const auto of_line = [](std::string_view hypothesis, std::string_view reference) {
    return chrf_statistics(hypothesis, reference);
  };
  return chrf_score(sum_over_lines<ChrfStatistics>(hypotheses, references, of_line));
}

std::string chrf_signature(ChrfKind kind) {
  return fmt::format(
      "nrefs:1|case:mixed|eff:yes|nc:6|nw:{}|space:no|version:knnseq-" KNNSEQ_VERSION,
      kind == ChrfKind::chrf ? 0 : chrf_words);
}

}  // namespace knnseq::metrics
