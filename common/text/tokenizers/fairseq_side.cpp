#include "text/tokenizers/fairseq_side.hpp"

#include <utility>

#include "core/utf8.hpp"
#include "text/pieces/replace_all.hpp"

namespace knnseq::text {

FairseqSide::FairseqSide(FairseqDictionary dictionary, Segmenter segmenter)
    : dictionary_(std::move(dictionary)), segmenter_(std::move(segmenter)) {}

std::vector<core::TokenId> FairseqSide::encode(std::string_view text) const {
  std::vector<core::TokenId> tokens;
  const auto look_up = [&](std::string_view segment) {
    for (const std::string_view symbol : core::split_words(segment)) {
      tokens.push_back(dictionary_.id(symbol));
    }
  };
  // fairseq splits at white space after segmentation, so a piece that holds some is not a symbol.
  const auto look_up_all = [&](const std::vector<std::string>& pieces) {
    for (const std::string& piece : pieces) look_up(piece);
  };
  if (const auto* bpe = std::get_if<Bpe>(&segmenter_)) {
    look_up_all(bpe->encode(text));
  } else if (const auto* pieces = std::get_if<SentencePieces>(&segmenter_)) {
    look_up_all(pieces->encode(text));
  } else {
    look_up(text);
  }
  return tokens;
}

std::string FairseqSide::decode(std::span<const core::TokenId> tokens) const {
  using Dictionary = FairseqDictionary;
  std::vector<std::string> symbols;
  for (const core::TokenId id : tokens) {
    const std::string& symbol = dictionary_.symbol(id);
    if (id != Dictionary::bos && id != Dictionary::pad && id != Dictionary::eos) {
      symbols.push_back(symbol);
    }
  }
  if (const auto* pieces = std::get_if<SentencePieces>(&segmenter_)) {
    for (std::string& symbol : symbols) replace_all(symbol, " ", "");
    std::string text;
    for (const std::string& piece : pieces->spell_bytes(symbols)) text += piece;
    replace_all(text, "\u2581", " ");  // SentencePiece's mark of a word's start
    return std::string(core::strip(text));
  }
  std::string text;
  for (const std::string& symbol : symbols) text.append(symbol).append(" ");
  if (std::holds_alternative<Bpe>(segmenter_)) {
    replace_all(text, "@@ ", "");
    return std::string(core::strip_end(text));
  }
  if (!text.empty()) text.pop_back();
  return text;
}

}  // namespace knnseq::text
