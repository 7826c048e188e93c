// Corpus TER (translation edit rate; Snover et al., 2006) as sacrebleu 2.6 computes it by default.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace knnseq::metrics {

/// Sufficient statistics of one or more sentences; they add up.
struct TerStatistics {
  std::int64_t edits = 0;             ///< insertions, deletions, substitutions and shifts
  std::int64_t reference_length = 0;  ///< words

  TerStatistics& operator+=(const TerStatistics& other);
  bool operator==(const TerStatistics&) const = default;
};

/// Of one line and its one reference: words are what white space separates, in small letters. The
/// search for shifts has Tercom's limits: at most 10 words over at most 50, 1,000 candidates, a
/// beam of 25 around the diagonal. Throws InputError if either is not valid UTF-8.
TerStatistics ter_statistics(std::string_view hypothesis, std::string_view reference);

/// Percent of the reference's words, from summed statistics; less is better.
double ter_score(const TerStatistics& statistics);

/// What was computed, in sacrebleu's notation; the version is this project's.
std::string ter_signature();

}  // namespace knnseq::metrics
