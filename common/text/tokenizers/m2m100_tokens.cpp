#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "text/pieces/tokenizer_json.hpp"
#include "text/pieces/vocabulary.hpp"
#include "text/tokenizers/language_codes.hpp"
#include "text/tokenizers/multilingual_files.hpp"

namespace knnseq::text {

namespace {

namespace fs = std::filesystem;
using core::TokenId;

std::string_view languages_of(const core::Json& config, const fs::path& path) {
  if (!config.contains("language_codes")) return m2m100_languages;
  const std::string name = token_text(config["language_codes"], path, "language_codes");
  if (name == "m2m100") return m2m100_languages;
  if (name == "wmt21") return wmt21_languages;
  throw core::InputError(
      path, fmt::format("'language_codes' '{}' is not supported; m2m100 and wmt21 are", name));
}

/// "de" of "__de__".
std::string m2m100_language(const std::string& token) {
  const bool marked = token.size() > 4 && token.starts_with("__") && token.ends_with("__");
  return marked ? token.substr(2, token.size() - 4) : "";
}

/// Refuses added tokens that are neither the four nor languages with known ids.
void check_languages(const fs::path& model_dir, const std::vector<AddedToken>& stated,
                     const MultilingualTokens& tokens) {
  auto all = listed_special_tokens(model_dir);
  for (const AddedToken& token : stated) all.emplace_back(token.file, token.text);
  for (const auto& [path, token] : all) {
    const bool basic =
        std::ranges::find(MultilingualTokens::names, token) != std::end(MultilingualTokens::names);
    if (basic || tokens.languages.contains(m2m100_language(token))) continue;
    throw core::InputError(
        path,
        fmt::format("adds the token '{}': tokens beside the vocabulary and M2M100's languages "
                    "are supported only if they are languages (__code__) and a file "
                    "states their ids",
                    token));
  }
}

}  // namespace

MultilingualTokens read_m2m100_tokens(const fs::path& model_dir, const SentencePieces&) {
  const Vocabulary vocabulary(model_dir / "vocab.json");
  const fs::path path = model_dir / "tokenizer_config.json";
  const core::Json config = read_object(path);
  MultilingualTokens made;
  for (TokenId id = 0; id < vocabulary.size(); ++id) {
    made.pieces.push_back(vocabulary.contains(id) ? vocabulary.token(id) : "");
  }
  add_basic_tokens(model_dir / "vocab.json", made);
  FamilyTokens family{{}, m2m100_language};
  for (const std::string_view code : core::split_words(languages_of(config, path))) {
    family.texts.push_back(fmt::format("__{}__", code));
  }
  const std::vector<AddedToken> stated = read_added_tokens(model_dir, made.pieces);
  add_special_tokens(stated, family, made);
  check_languages(model_dir, stated, made);
  read_multilingual_config(model_dir, made.specials.end(), made);
  read_flag(config, path, "clean_up_tokenization_spaces", made.clean_up_spaces);
  return made;
}

}  // namespace knnseq::text
