// What tokenisers of text for scores know of characters. Private to this module.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace knnseq::metrics {

/// First and last of consecutive code points.
struct CodeRange {
  char32_t first, last;
};

/// Code points `first`, `first` + `step` … `last`, whose small letters are `difference` away.
struct CaseRange {
  char32_t first, last;
  int step, difference;
};

// Ascending (unicode_tables.cpp).
extern const std::span<const CodeRange> numbers, punctuation, symbols;  ///< categories N, P, S
extern const std::span<const CodeRange> cased, case_ignorable;
extern const std::span<const CaseRange> small_letters;

/// Whether a table of ranges has the code point.
bool is_in(std::span<const CodeRange> table, char32_t c);

/// As Python's str.lower().
std::u32string lower(std::u32string_view text);

/// Valid code points as UTF-8.
std::string encode_utf8(std::u32string_view text);

}  // namespace knnseq::metrics
