// What each token of a sentence adds to its text.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "text/tokenizers/tokenizer.hpp"

namespace knnseq::stages {

/// A sentence as one line of valid UTF-8 (text::output_line()), in pieces, one for each token: put
/// together they are the text. Tokens that add nothing, such as the end of sentence, have an empty
/// one; so have tokens that spell parts of a character, all but the last of them.
struct TokenTexts {
  std::string text;
  std::vector<std::string> pieces;
};

/// Of tokens of the target side. Throws std::logic_error as Tokenizer::decode_target().
TokenTexts target_texts(const text::Tokenizer& tokenizer, std::span<const core::TokenId> tokens);
/// Of tokens of the source side.
TokenTexts source_texts(const text::Tokenizer& tokenizer, std::span<const core::TokenId> tokens);

}  // namespace knnseq::stages
