// The tokeniser of Hugging Face M2M100 directories.
#pragma once

#include "text/tokenizers/multilingual_tokenizer.hpp"

namespace knnseq::text {

/// Gives the ids of transformers' M2M100Tokenizer (5.23): pieces of sentencepiece.bpe.model looked
/// up in vocab.json, special and language tokens written out in the text ("__de__") taken whole.
/// A source is [language] x EOS. Decoding equals decode(skip_special_tokens=True), except that ids
/// after the languages ("made-up words", which no text gives) are left out, not printed as
/// <unk>.
class M2M100Tokenizer final : public MultilingualTokenizer {
 public:
  /// Languages are "de", "en", … Throws InputError naming the file and what is wrong in it, or
  /// source_lang or target_lang if one is missing or unknown.
  M2M100Tokenizer(const std::filesystem::path& model_dir, const Languages& languages);

 private:
  std::string join(const std::vector<std::string>& pieces) const override;
};

}  // namespace knnseq::text
