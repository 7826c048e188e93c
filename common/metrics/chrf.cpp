#include "metrics/chrf.hpp"

#include <algorithm>

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

}  // namespace

ChrfStatistics& ChrfStatistics::operator+=(const ChrfStatistics& other) {
  for (std::size_t n = 0; n < chrf_order; ++n) {
    hypothesis[n] += other.hypothesis[n];
    reference[n] += other.reference[n];
    matches[n] += other.matches[n];
  }
  return *this;
}

ChrfStatistics chrf_statistics(std::string_view hypothesis, std::string_view reference) {
  const std::u32string ours = characters(hypothesis);
  const std::u32string theirs = characters(reference);
  ChrfStatistics result;
  for (std::size_t n = 0; n < chrf_order; ++n) {
    const auto found = match_ngrams<char32_t>(ours, theirs, n + 1);
    result.hypothesis[n] = found.reference > 0 ? found.hypothesis : 0;
    result.reference[n] = found.reference;
    result.matches[n] = found.matches;
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
  return chrf_score(sum_over_lines<ChrfStatistics>(hypotheses, references, chrf_statistics));
}

std::string chrf_signature() {
  return "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:knnseq-" KNNSEQ_VERSION;
}

}  // namespace knnseq::metrics
