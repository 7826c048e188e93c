#include "metrics/languages_13a.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

#include <fmt/format.h>

#include "core/error.hpp"

namespace knnseq::metrics {

namespace {

/// The language of a code such as "zh-CN" or "zho_Hans", in lower case.
std::string language_part(std::string_view code) {
  std::string language(code.substr(0, code.find_first_of("-_")));
  std::transform(language.begin(), language.end(), language.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return language;
}

template <std::size_t N>
bool is_in(std::string_view language, const std::array<std::string_view, N>& languages) {
  return std::find(languages.begin(), languages.end(), language) != languages.end();
}

constexpr std::array<std::string_view, 10> chinese{"zh",  "zho", "chi", "cmn", "yue",
                                                   "wuu", "hak", "nan", "lzh", "gan"};
constexpr std::array<std::string_view, 3> japanese{"ja", "jpn", "jap"};
constexpr std::array<std::string_view, 2> korean{"ko", "kor"};
constexpr std::array<std::string_view, 14> without_spaces{
    "th", "tha", "lo", "lao", "km", "khm", "my", "mya", "bur", "bo", "bod", "tib", "dz", "dzo"};

/// sacrebleu's tokeniser for a language that 13a does not suit; empty if it does.
std::string_view better_tokenizer(std::string_view code) {
  const std::string language = language_part(code);
  if (is_in(language, chinese)) return "zh";
  if (is_in(language, japanese)) return "ja-mecab";
  if (is_in(language, korean)) return "ko-mecab";
  if (is_in(language, without_spaces)) return "flores200";
  return {};
}

}  // namespace

bool suits_13a(std::string_view language) { return better_tokenizer(language).empty(); }

void require_13a(std::string_view language) {
  const std::string_view tokenizer = better_tokenizer(language);
  if (tokenizer.empty()) return;
  throw core::InputError(fmt::format(
      "BLEU's 13a tokenisation does not suit '{}'; score the output with: sacrebleu REFERENCES -i "
      "hyp.txt --tokenize {} (chrF needs no tokenisation)",
      language, tokenizer));
}

}  // namespace knnseq::metrics
