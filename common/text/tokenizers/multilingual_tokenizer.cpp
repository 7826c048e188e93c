#include "text/tokenizers/multilingual_tokenizer.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "text/pieces/added_tokens.hpp"
#include "text/pieces/clean_up.hpp"
#include "text/pieces/replace_all.hpp"
#include "text/pieces/tokenizer_json.hpp"

namespace knnseq::text {

namespace {

namespace fs = std::filesystem;
using core::TokenId;

/// `key` names the setting that `code` was given as.
TokenId language_token(const MultilingualTokens& tokens, const std::string& key,
                       const std::string& code) {
  const auto found = tokens.languages.find(code);
  if (found != tokens.languages.end()) return found->second;
  std::vector<std::string> all;
  std::vector<std::string> close;
  for (const auto& [known, id] : tokens.languages) {
    all.push_back(known);
    if (!code.empty() && known.starts_with(code.substr(0, 2))) close.push_back(known);
  }
  const std::string problem = code.empty()
                                  ? "is needed: the model translates between many languages"
                                  : fmt::format("the model does not know '{}'", code);
  throw core::InputError(
      key, fmt::format("{}; {}: {}", problem, close.empty() ? "it knows" : "similar ones it knows",
                       fmt::join(close.empty() ? all : close, ", ")));
}

/// Which of the two families the directory belongs to.
bool is_m2m100(const fs::path& model_dir) {
  const fs::path path = model_dir / "tokenizer_config.json";
  const core::Json config = read_object(path);
  std::string name = fs::exists(model_dir / "vocab.json") ? "M2M100Tokenizer" : "NllbTokenizer";
  if (config.contains("tokenizer_class")) {
    name = token_text(config["tokenizer_class"], path, "tokenizer_class");
  }
  if (name == "M2M100Tokenizer") return true;
  if (name == "NllbTokenizer" || name == "NllbTokenizerFast") return false;
  throw core::InputError(path, fmt::format("'tokenizer_class' '{}' is not supported; "
                                           "M2M100Tokenizer, NllbTokenizer and "
                                           "NllbTokenizerFast are",
                                           name));
}

/// The tokeniser of Hugging Face M2M100 directories. Languages are "de", "en", …
///
/// Gives the ids of transformers' M2M100Tokenizer (5.23): pieces of sentencepiece.bpe.model looked
/// up in vocab.json, special and language tokens written out in the text ("__de__") taken whole.
/// A source is [language] x EOS. Decoding equals decode(skip_special_tokens=True), except that ids
/// after the languages ("made-up words", which no text gives) are left out, not printed as
/// <unk>.
class M2M100Tokenizer final : public MultilingualTokenizer {
 public:
  M2M100Tokenizer(const fs::path& model_dir, const Languages& languages)
      : MultilingualTokenizer(model_dir, read_m2m100_tokens, languages) {}

 private:
  std::string join(const std::vector<std::string>& pieces) const override {
    std::string text(core::strip(this->pieces().decode(pieces)));
    if (clean_up_spaces()) clean_up(text);
    return text;
  }
};

/// The tokeniser of Hugging Face NLLB-200 directories. Languages are "deu_Latn", "eng_Latn", …
///
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
  NllbTokenizer(const fs::path& model_dir, const Languages& languages)
      : MultilingualTokenizer(model_dir, read_nllb_tokens, languages) {}

 private:
  std::string join(const std::vector<std::string>& pieces) const override {
    std::string text;
    bool first = true;
    for (std::string& piece : this->pieces().spell_bytes(pieces)) {
      replace_all(piece, "\u2581", first ? "" : " ");  // SentencePiece's mark of a word's start
      text += piece;
      first = false;
    }
    return text;
  }
};

}  // namespace

MultilingualTokenizer::MultilingualTokenizer(const fs::path& model_dir, MultilingualReader read,
                                             const Languages& languages)
    : pieces_(model_dir / MultilingualTokens::pieces_file), tokens_(read(model_dir, pieces_)) {
  for (std::size_t id = 0; id < tokens_.pieces.size(); ++id) {
    if (!tokens_.pieces[id].empty()) ids_.emplace(tokens_.pieces[id], core::narrow<TokenId>(id));
  }
  const TokenId source = language_token(tokens_, "source_lang", languages.source);
  target_language_ = language_token(tokens_, "target_lang", languages.target);
  if (tokens_.language_behind_eos) {
    frame_.suffix = {eos(), source};
  } else {
    frame_ = {{source}, {eos()}};
  }
}

std::vector<TokenId> MultilingualTokenizer::encode_source(std::string_view text) const {
  std::vector<TokenId> tokens;
  while (const auto special = tokens_.specials.first_in(text)) {
    encode_plain(text.substr(0, special->begin), tokens);
    tokens.push_back(special->id);
    text.remove_prefix(special->begin + special->size);
  }
  encode_plain(text, tokens);
  return tokens;
}

void MultilingualTokenizer::encode_plain(std::string_view text,
                                         std::vector<TokenId>& tokens) const {
  for (const std::string& piece : pieces_.encode(text)) {
    const auto found = ids_.find(piece);
    tokens.push_back(found == ids_.end() ? unk() : found->second);
  }
}

std::vector<TokenId> MultilingualTokenizer::encode_target(std::string_view text) const {
  return encode_source(text);
}

std::string MultilingualTokenizer::decode_target(std::span<const TokenId> tokens) const {
  std::vector<std::string> pieces;
  for (const TokenId id : tokens) {
    KNNSEQ_ASSERT(id >= 0 && id < vocab_size(), "token out of the vocabulary");
    const auto index = static_cast<std::size_t>(id);
    if (index >= tokens_.pieces.size() || tokens_.specials.contains(id)) continue;
    if (!tokens_.pieces[index].empty()) pieces.push_back(tokens_.pieces[index]);
  }
  return join(pieces);
}

std::string MultilingualTokenizer::decode_source(std::span<const TokenId> tokens) const {
  return decode_target(tokens);
}

bool MultilingualTokenizer::has_target_token(TokenId id) const {
  if (tokens_.specials.contains(id)) return true;
  return id >= 0 && id < std::ssize(tokens_.pieces) && !tokens_.pieces[id].empty();
}

bool MultilingualTokenizer::is_special(TokenId token) const {
  return token != unk() &&
         (tokens_.specials.contains(token) || token >= std::ssize(tokens_.pieces));
}

std::unique_ptr<Tokenizer> make_multilingual_tokenizer(const fs::path& model_dir,
                                                       const Languages& languages) {
  if (is_m2m100(model_dir)) return std::make_unique<M2M100Tokenizer>(model_dir, languages);
  return std::make_unique<NllbTokenizer>(model_dir, languages);
}

std::vector<fs::path> multilingual_tokenizer_files(const fs::path& model_dir) {
  std::vector<fs::path> files;
  for (const char* name :
       {"config.json", "vocab.json", MultilingualTokens::pieces_file, "tokenizer_config.json",
        "special_tokens_map.json", "added_tokens.json"}) {
    if (fs::exists(model_dir / name)) files.push_back(model_dir / name);
  }
  // It is large, and says nothing new in published models.
  const auto read = is_m2m100(model_dir) ? read_m2m100_tokens : read_nllb_tokens;
  if (fs::exists(model_dir / AddedToken::tokenizer_json) &&
      read(model_dir, SentencePieces(model_dir / MultilingualTokens::pieces_file))
          .needs_tokenizer_json) {
    files.push_back(model_dir / AddedToken::tokenizer_json);
  }
  return files;
}

}  // namespace knnseq::text
