#include "stages/shared/text/translated_text.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "text/files/line_filter.hpp"
#include "text/output_line.hpp"

namespace knnseq::stages {

namespace {

void add_line(TranslatedTexts& texts, const std::string& text) {
  texts.lines.push_back(text::output_line(text));
  texts.mended.push_back(texts.lines.back() != text);
}

}  // namespace

void require_target_tokens(const std::vector<core::TokenId>& translation,
                           const text::Tokenizer& tokenizer, const std::string& name) {
  for (const auto token : translation) {
    if (tokenizer.has_target_token(token)) continue;
    throw core::InputError(
        fmt::format("{} has the token {}, which the tokeniser does not have", name, token));
  }
}

TranslatedTexts texts_of_translations(const std::vector<std::vector<core::TokenId>>& translations,
                                      const text::Tokenizer& tokenizer,
                                      const std::string& postprocess) {
  TranslatedTexts made;
  for (const auto& tokens : translations) add_line(made, tokenizer.decode_target(tokens));
  if (postprocess.empty() || made.lines.empty()) return made;
  TranslatedTexts processed;
  for (const auto& text : text::filter_lines(postprocess, made.lines)) add_line(processed, text);
  for (std::size_t i = 0; i < made.mended.size(); ++i) {
    if (made.mended[i]) processed.mended[i] = true;
  }
  return processed;
}

}  // namespace knnseq::stages
