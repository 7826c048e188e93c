#include <algorithm>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "text/pieces/tokenizer_json.hpp"
#include "text/tokenizers/language_codes.hpp"
#include "text/tokenizers/multilingual_files.hpp"

namespace knnseq::text {

namespace {

namespace fs = std::filesystem;

constexpr const char* mask = "<mask>";

/// SentencePiece's <unk>, <s>, </s> make room for fairseq's four.
std::vector<std::string> fairseq_pieces(const fs::path& path, const SentencePieces& pieces) {
  const std::vector<std::string> own = pieces.list();
  if (own.size() < 3 || own[0] != "<unk>" || own[1] != "<s>" || own[2] != "</s>") {
    throw core::InputError(path, "its first three pieces are not <unk>, <s> and </s>");
  }
  std::vector<std::string> made(std::begin(MultilingualTokens::names),
                                std::end(MultilingualTokens::names));
  made.insert(made.end(), own.begin() + 3, own.end());
  return made;
}

/// Every added token but <mask> is a language, named by its code.
std::string nllb_language(const std::string& token) { return token == mask ? "" : token; }

/// Refuses listed languages whose ids could only be guessed: those that no file numbers, unless
/// they are NLLB-200's in their order. (Versions of transformers have numbered others differently.)
void check_listed(const fs::path& model_dir, const std::vector<AddedToken>& stated,
                  const std::vector<std::string>& nllb_200) {
  const auto is_in = [](const auto& tokens, const std::string& token) {
    return std::ranges::find(tokens, token) != std::end(tokens);
  };
  std::vector<std::string> numbered(std::begin(MultilingualTokens::names),
                                    std::end(MultilingualTokens::names));
  numbered.emplace_back(mask);
  for (const AddedToken& token : stated) numbered.push_back(token.text);
  fs::path file;
  std::vector<std::string> open;
  for (const auto& [path, token] : listed_special_tokens(model_dir)) {
    file = path;
    if (!is_in(numbered, token)) open.push_back(token);
  }
  const bool states_own =
      std::ranges::any_of(nllb_200, [&](const auto& code) { return is_in(numbered, code); });
  if (open.empty() || (open == nllb_200 && !states_own)) return;
  const auto other = std::ranges::find_if(
      open, [&](const std::string& token) { return states_own || !is_in(nllb_200, token); });
  const std::string problem =
      other == open.end() ? "lists some of NLLB-200's languages, or in another order"
                          : fmt::format("lists '{}', which is not one of NLLB-200's", *other);
  throw core::InputError(
      file, fmt::format("{}, and no file states the ids: tokenizer.json, or "
                        "'added_tokens_decoder' of tokenizer_config.json, must be there; "
                        "transformers' save_pretrained writes them",
                        problem));
}

}  // namespace

MultilingualTokens read_nllb_tokens(const fs::path& model_dir, const SentencePieces& pieces) {
  const fs::path pieces_path = model_dir / MultilingualTokens::pieces_file;
  MultilingualTokens made;
  made.pieces = fairseq_pieces(pieces_path, pieces);
  add_basic_tokens(pieces_path, made);
  FamilyTokens family{{}, nllb_language};
  for (const std::string_view code : core::split_words(nllb_languages)) {
    family.texts.emplace_back(code);
  }
  const std::vector<AddedToken> stated = read_added_tokens(model_dir, made.pieces);
  check_listed(model_dir, stated, family.texts);
  family.texts.emplace_back(mask);
  add_special_tokens(stated, family, made);
  const fs::path path = model_dir / "tokenizer_config.json";
  read_flag(read_object(path), path, "legacy_behaviour", made.language_behind_eos);
  read_multilingual_config(model_dir, made.specials.end(), made);
  return made;
}

}  // namespace knnseq::text
