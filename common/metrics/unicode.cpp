#include "metrics/unicode.hpp"

#include <algorithm>

namespace knnseq::metrics {

namespace {

constexpr char32_t capital_sigma = 0x3A3;
constexpr char32_t dotted_capital_i = 0x130;

/// The first range that does not end before c.
template <class Range>
auto find_range(std::span<const Range> table, char32_t c) {
  return std::ranges::lower_bound(table, c, {}, &Range::last);
}

char32_t small_letter(char32_t c) {
  const auto range = find_range(small_letters, c);
  if (range == small_letters.end() || c < range->first) return c;
  const auto steps = static_cast<int>(c - range->first);
  if (steps % range->step != 0) return c;
  return static_cast<char32_t>(static_cast<int>(c) + range->difference);
}

/// Whether the next character that is not case-ignorable is cased.
template <class Iterator>
bool meets_cased(Iterator at, Iterator end) {
  while (at != end && is_in(case_ignorable, *at)) ++at;
  return at != end && is_in(cased, *at);
}

}  // namespace

bool is_in(std::span<const CodeRange> table, char32_t c) {
  const auto range = find_range(table, c);
  return range != table.end() && range->first <= c;
}

std::u32string lower(std::u32string_view text) {
  std::u32string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char32_t c = text[i];
    if (c == dotted_capital_i) {
      result += U"i\u0307";
    } else if (c == capital_sigma) {
      const auto before = text.substr(0, i);
      const auto after = text.substr(i + 1);
      const bool ends_word =
          meets_cased(before.rbegin(), before.rend()) && !meets_cased(after.begin(), after.end());
      result += ends_word ? U'\u03C2' : U'\u03C3';
    } else {
      result += small_letter(c);
    }
  }
  return result;
}

std::string encode_utf8(std::u32string_view text) {
  std::string bytes;
  const auto tail = [&](char32_t c, int shift) {
    bytes += static_cast<char>(0x80 | ((c >> shift) & 0x3F));
  };
  for (const char32_t c : text) {
    if (c < 0x80) {
      bytes += static_cast<char>(c);
    } else if (c < 0x800) {
      bytes += static_cast<char>(0xC0 | (c >> 6));
      tail(c, 0);
    } else if (c < 0x10000) {
      bytes += static_cast<char>(0xE0 | (c >> 12));
      tail(c, 6);
      tail(c, 0);
    } else {
      bytes += static_cast<char>(0xF0 | (c >> 18));
      tail(c, 12);
      tail(c, 6);
      tail(c, 0);
    }
  }
  return bytes;
}

}  // namespace knnseq::metrics
