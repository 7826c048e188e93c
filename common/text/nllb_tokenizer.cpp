#include "text/nllb_tokenizer.hpp"

#include "text/replace_all.hpp"

namespace knnseq::text {

NllbTokenizer::NllbTokenizer(const std::filesystem::path& model_dir, const Languages& languages)
    : MultilingualTokenizer(model_dir, read_nllb_tokens, languages) {}

std::string NllbTokenizer::join(const std::vector<std::string>& pieces) const {
  std::string text;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    std::string piece = pieces[i];
    replace_all(piece, "\u2581", i == 0 ? "" : " ");  // SentencePiece's mark of a word's start
    text += piece;
  }
  return text;
}

}  // namespace knnseq::text
