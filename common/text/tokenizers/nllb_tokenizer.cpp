#include "text/tokenizers/nllb_tokenizer.hpp"

#include "text/pieces/replace_all.hpp"

namespace knnseq::text {

NllbTokenizer::NllbTokenizer(const std::filesystem::path& model_dir, const Languages& languages)
    : MultilingualTokenizer(model_dir, read_nllb_tokens, languages) {}

std::string NllbTokenizer::join(const std::vector<std::string>& pieces) const {
  std::string text;
  bool first = true;
  for (std::string& piece : this->pieces().spell_bytes(pieces)) {
    replace_all(piece, "\u2581", first ? "" : " ");  // SentencePiece's mark of a word's start
    text += piece;
    first = false;
  }
  return text;
}

}  // namespace knnseq::text
