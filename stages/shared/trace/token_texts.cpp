#include "stages/shared/trace/token_texts.hpp"

#include <functional>

#include "text/output_line.hpp"

namespace knnseq::stages {

namespace {

using Decode = std::function<std::string(std::span<const core::TokenId>)>;

TokenTexts texts_of_tokens(std::span<const core::TokenId> tokens, const Decode& decode) {
  TokenTexts made{text::output_line(decode(tokens)), std::vector<std::string>(tokens.size())};
  std::string_view rest = made.text;
  std::size_t last = tokens.size();  // that added something
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    // A tokeniser may join or drop spaces by what comes next: then a later token has both.
    const std::string so_far = text::output_line(decode(tokens.first(i + 1)));
    const std::size_t emitted = made.text.size() - rest.size();
    if (so_far.size() <= emitted || !made.text.starts_with(so_far)) continue;
    made.pieces[i] = rest.substr(0, so_far.size() - emitted);
    rest.remove_prefix(made.pieces[i].size());
    last = i;
  }
  if (!rest.empty() && last < tokens.size()) made.pieces[last] += rest;
  if (!rest.empty() && last == tokens.size()) made.pieces.front() = rest;
  return made;
}

}  // namespace

TokenTexts target_texts(const text::Tokenizer& tokenizer, std::span<const core::TokenId> tokens) {
  return texts_of_tokens(tokens, [&](auto part) { return tokenizer.decode_target(part); });
}

TokenTexts source_texts(const text::Tokenizer& tokenizer, std::span<const core::TokenId> tokens) {
  return texts_of_tokens(tokens, [&](auto part) { return tokenizer.decode_source(part); });
}

}  // namespace knnseq::stages
