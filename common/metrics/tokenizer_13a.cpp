#include "metrics/tokenizer_13a.hpp"

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "metrics/substitute_pairs.hpp"
#include "text/pieces/replace_all.hpp"

namespace knnseq::metrics {

namespace {

// All rules are about ASCII characters, so they work on the bytes of UTF-8 as on its characters.

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_period_or_comma(char c) { return c == '.' || c == ','; }

/// [\{-\~\[-\` -\&\(-\+\:-\@\/]: ASCII's punctuation and space, without the apostrophe, comma,
/// hyphen and period.
bool is_separated(char c) {
  return (c >= '{' && c <= '~') || (c >= '[' && c <= '`') || (c >= ' ' && c <= '&') ||
         (c >= '(' && c <= '+') || (c >= ':' && c <= '@') || c == '/';
}

std::string separate_symbols(std::string_view line) {
  std::string result;
  for (const char c : line) {
    if (is_separated(c)) {
      result.append({' ', c, ' '});
    } else {
      result.push_back(c);
    }
  }
  return result;
}

std::string apply_rules(std::string_view text) {
  const auto space_around_second = [](std::string& out, char first, char second) {
    out.append({first, ' ', second, ' '});
  };
  std::string line = separate_symbols(text);
  line = substitute_pairs(
      line, [](char a, char b) { return !is_digit(a) && is_period_or_comma(b); },
      space_around_second);
  line = substitute_pairs(
      line, [](char a, char b) { return is_period_or_comma(a) && !is_digit(b); },
      [](std::string& out, char first, char second) {
        out.append({' ', first, ' ', second});
      });
  return substitute_pairs(
      line, [](char a, char b) { return is_digit(a) && b == '-'; }, space_around_second);
}

}  // namespace

std::vector<std::string> tokenize_13a(std::string_view line) {
  if (!core::is_valid_utf8(line)) throw core::InputError("text is not valid UTF-8");
  std::string text(core::strip_end(line));
  text::replace_all(text, "<skipped>", "");
  text::replace_all(text, "-\n", "");
  text::replace_all(text, "\n", " ");
  text::replace_all(text, "&quot;", "\"");
  text::replace_all(text, "&amp;", "&");
  text::replace_all(text, "&lt;", "<");
  text::replace_all(text, "&gt;", ">");
  return split_by_13a_rules(' ' + text + ' ');
}

std::vector<std::string> split_by_13a_rules(std::string_view text) {
  const std::string separated = apply_rules(text);
  const auto words = core::split_words(separated);
  return {words.begin(), words.end()};
}

}  // namespace knnseq::metrics
