// Corpus chrF (Popović, 2015) as sacrebleu 2.6 computes it by default.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace knnseq::metrics {

inline constexpr std::size_t chrf_order = 6;

/// Sufficient statistics of one or more sentences, for n-grams of 1 … 6 code points; they add up.
struct ChrfStatistics {
  std::array<std::int64_t, chrf_order> hypothesis{};  ///< 0 if the reference has no such n-gram
  std::array<std::int64_t, chrf_order> reference{};
  std::array<std::int64_t, chrf_order> matches{};

  ChrfStatistics& operator+=(const ChrfStatistics& other);
  bool operator==(const ChrfStatistics&) const = default;
};

/// Of one line and its one reference. White space does not count. Throws InputError if either
/// is not valid UTF-8.
ChrfStatistics chrf_statistics(std::string_view hypothesis, std::string_view reference);

/// 0 … 100, from summed statistics: beta 2, effective order, no smoothing.
double chrf_score(const ChrfStatistics& statistics);

/// Of a whole test set, one reference a line. Throws InputError if the numbers of lines differ
/// or a line is not valid UTF-8.
double corpus_chrf(std::span<const std::string> hypotheses,
                   std::span<const std::string> references);

/// What was computed, in sacrebleu's notation; the version is this project's.
std::string chrf_signature();

}  // namespace knnseq::metrics
