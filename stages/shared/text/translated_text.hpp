// How translations become text.
#pragma once

#include <string>
#include <vector>

#include "text/tokenizers/tokenizer.hpp"

namespace knnseq::stages {

/// The texts of translations, and which of them were not one line of text before.
struct TranslatedTexts {
  std::vector<std::string> lines;
  std::vector<bool> mended;
};

/// Throws core::InputError if the tokeniser does not have a token of a translation, which `name`
/// says in the message ("the translation of line 3").
void require_target_tokens(const std::vector<core::TokenId>& translation,
                           const text::Tokenizer& tokenizer, const std::string& name);

/// Each text as one line (text::output_line()), through the command `postprocess` if it is not
/// empty. The tokeniser must have all tokens. Throws as text::filter_lines().
TranslatedTexts texts_of_translations(const std::vector<std::vector<core::TokenId>>& translations,
                                      const text::Tokenizer& tokenizer,
                                      const std::string& postprocess);

}  // namespace knnseq::stages
