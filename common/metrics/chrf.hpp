// Corpus chrF (Popović, 2015) and chrF++ (Popović, 2017) as sacrebleu 2.6 computes them.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace knnseq::metrics {

inline constexpr std::size_t chrf_characters = 6;
inline constexpr std::size_t chrf_words = 2;
inline constexpr std::size_t chrf_order = chrf_characters + chrf_words;

enum class ChrfKind {
  chrf,    ///< n-grams of characters
  chrf_pp  ///< and of one and two words: chrF++
};

/// Sufficient statistics of one or more sentences, for n-grams of 1 … 6 code points, then of 1 and
/// 2 words (0 with ChrfKind::chrf); they add up.
struct ChrfStatistics {
  std::array<std::int64_t, chrf_order> hypothesis{};  ///< 0 if the reference has no such n-gram
  std::array<std::int64_t, chrf_order> reference{};
  std::array<std::int64_t, chrf_order> matches{};

  ChrfStatistics& operator+=(const ChrfStatistics& other);
  bool operator==(const ChrfStatistics&) const = default;
};

/// Of one line and its one reference. White space does not count. Throws InputError if either
/// is not valid UTF-8.
ChrfStatistics chrf_statistics(std::string_view hypothesis, std::string_view reference,
                               ChrfKind kind = ChrfKind::chrf);

/// 0 … 100, from summed statistics: beta 2, effective order, no smoothing.
double chrf_score(const ChrfStatistics& statistics);

/// Of a whole test set, one reference a line. Throws InputError if the numbers of lines differ
/// or a line is not valid UTF-8.
double corpus_chrf(std::span<const std::string> hypotheses,
                   std::span<const std::string> references);

/// What was computed, in sacrebleu's notation; the version is this project's.
std::string chrf_signature(ChrfKind kind = ChrfKind::chrf);

}  // namespace knnseq::metrics
