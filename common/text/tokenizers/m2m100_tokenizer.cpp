#include "text/tokenizers/m2m100_tokenizer.hpp"

#include "core/utf8.hpp"
#include "text/pieces/clean_up.hpp"

namespace knnseq::text {

M2M100Tokenizer::M2M100Tokenizer(const std::filesystem::path& model_dir, const Languages& languages)
    : MultilingualTokenizer(model_dir, read_m2m100_tokens, languages) {}

std::string M2M100Tokenizer::join(const std::vector<std::string>& pieces) const {
  std::string text(core::strip(this->pieces().decode(pieces)));
  if (clean_up_spaces()) clean_up(text);
  return text;
}

}  // namespace knnseq::text
