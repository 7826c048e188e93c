#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "text/language_codes.hpp"
#include "text/multilingual_files.hpp"
#include "text/tokenizer_json.hpp"
#include "text/vocabulary.hpp"

namespace knnseq::text {

namespace {

namespace fs = std::filesystem;
using core::TokenId;

std::string language_token(std::string_view code) { return fmt::format("__{}__", code); }

std::string_view languages_of(const core::Json& config, const fs::path& path) {
  if (!config.contains("language_codes")) return m2m100_languages;
  const std::string name = token_text(config["language_codes"], path, "language_codes");
  if (name == "m2m100") return m2m100_languages;
  if (name == "wmt21") return wmt21_languages;
  throw core::InputError(
      path, fmt::format("'language_codes' '{}' is not supported; m2m100 and wmt21 are", name));
}

/// Refuses special tokens that are neither the four nor languages.
void check_listed(const fs::path& model_dir, const std::vector<std::string>& known) {
  for (const auto& [path, token] : listed_special_tokens(model_dir)) {
    if (std::ranges::find(known, token) == known.end()) {
      throw core::InputError(path,
                             fmt::format("adds the token '{}': tokens beside the vocabulary and "
                                         "M2M100's languages are not supported",
                                         token));
    }
  }
}

}  // namespace

MultilingualTokens read_m2m100_tokens(const fs::path& model_dir, const SentencePieces&) {
  const Vocabulary vocabulary(model_dir / "vocab.json");
  const fs::path path = model_dir / "tokenizer_config.json";
  const core::Json config = read_object(path);
  MultilingualTokens made;
  for (TokenId id = 0; id < vocabulary.size(); ++id) made.pieces.push_back(vocabulary.token(id));
  add_basic_tokens(model_dir / "vocab.json", made);
  std::vector<std::string> known(made.pieces.begin(), made.pieces.begin() + 4);
  auto next = core::narrow<TokenId>(vocabulary.size());
  for (const std::string_view code : core::split_words(languages_of(config, path))) {
    const std::string token = language_token(code);
    made.languages.emplace(code, next);
    made.specials.add(token, next++);
    known.push_back(token);
  }
  check_listed(model_dir, known);
  read_multilingual_config(model_dir, next, made);
  read_flag(config, path, "clean_up_tokenization_spaces", made.clean_up_spaces);
  return made;
}

}  // namespace knnseq::text
