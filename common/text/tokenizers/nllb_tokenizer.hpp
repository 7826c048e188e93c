// The tokeniser of Hugging Face NLLB-200 directories.
#pragma once

#include "text/tokenizers/multilingual_tokenizer.hpp"

namespace knnseq::text {

/// Gives the ids of transformers' NllbTokenizer (5.23), which are fairseq's: <s> 0, <pad> 1, </s>
/// 2, <unk> 3, then SentencePiece's pieces, languages and <mask>. Special tokens written out in the
/// text ("deu_Latn") are taken whole. A source is [language] x EOS, or x EOS [language] with
/// "legacy_behaviour" in tokenizer_config.json. Decoding equals decode(skip_special_tokens=True).
///
/// Text is normalised by SentencePiece itself, as in fairseq. transformers' own normaliser differs
/// for a few texts: it keeps a space at the end (and before a special token) as a token of its own,
/// adds none at the start if the text has SentencePiece's mark of it, and composes characters
/// with their accents in another order.
class NllbTokenizer final : public MultilingualTokenizer {
 public:
  /// Languages are "deu_Latn", "eng_Latn", … Throws InputError naming the file and what is wrong in
  /// it, or source_lang or target_lang if one is missing or unknown.
  NllbTokenizer(const std::filesystem::path& model_dir, const Languages& languages);

 private:
  std::string join(const std::vector<std::string>& pieces) const override;
};

}  // namespace knnseq::text
