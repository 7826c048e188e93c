#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "text/language_codes.hpp"
#include "text/multilingual_files.hpp"
#include "text/tokenizer_json.hpp"

namespace knnseq::text {

namespace {

namespace fs = std::filesystem;
using core::Json;
using core::TokenId;

constexpr const char* mask = "<mask>";
constexpr std::int64_t most_tokens = 1 << 24;

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

/// Takes the ids that files give: token by id in tokenizer_config.json, or id by token in
/// added_tokens.json. False where neither does.
bool add_numbered(const fs::path& model_dir, MultilingualTokens& tokens) {
  const auto add = [&](const fs::path& path, const std::string& token, std::int64_t id) {
    if (id >= std::ssize(tokens.pieces) && id < most_tokens) {
      tokens.specials.add(token, core::narrow<TokenId>(id));
      if (token != mask) tokens.languages.emplace(token, core::narrow<TokenId>(id));
    } else if (id < 0 || id >= most_tokens ||
               tokens.pieces[static_cast<std::size_t>(id)] != token) {
      throw core::InputError(path, fmt::format("'{}' cannot have the id {}", token, id));
    }
  };
  const fs::path config_path = model_dir / "tokenizer_config.json";
  const Json config = read_object(config_path);
  if (config.contains("added_tokens_decoder")) {
    for (const auto& [key, value] : config["added_tokens_decoder"].items()) {
      std::int64_t id = -1;
      const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
      if (end != key.data() + key.size()) id = -1;
      add(config_path, token_text(value, config_path, "added_tokens_decoder"), id);
    }
  }
  const fs::path added_path = model_dir / "added_tokens.json";
  const Json added = read_object(added_path);
  for (const auto& [token, id] : added.items()) {
    add(added_path, token, id.is_number_integer() ? id.get<std::int64_t>() : -1);
  }
  return !tokens.languages.empty();
}

/// Numbers the listed languages, or NLLB-200's, in their order, and <mask> behind them.
void add_in_order(const fs::path& model_dir, MultilingualTokens& tokens) {
  std::vector<std::string> codes;
  for (const auto& [path, token] : listed_special_tokens(model_dir)) {
    const auto& names = MultilingualTokens::names;
    const bool basic = token == mask || std::ranges::find(names, token) != std::end(names);
    if (!basic) codes.push_back(token);
  }
  if (codes.empty()) {
    for (const std::string_view code : core::split_words(nllb_languages)) codes.emplace_back(code);
  }
  auto next = core::narrow<TokenId>(tokens.pieces.size());
  for (const std::string& code : codes) {
    tokens.languages.emplace(code, next);
    tokens.specials.add(code, next++);
  }
  tokens.specials.add(mask, next);
}

}  // namespace

MultilingualTokens read_nllb_tokens(const fs::path& model_dir, const SentencePieces& pieces) {
  const fs::path pieces_path = model_dir / MultilingualTokens::pieces_file;
  MultilingualTokens made;
  made.pieces = fairseq_pieces(pieces_path, pieces);
  add_basic_tokens(pieces_path, made);
  if (!add_numbered(model_dir, made)) add_in_order(model_dir, made);
  const fs::path path = model_dir / "tokenizer_config.json";
  read_flag(read_object(path), path, "legacy_behaviour", made.language_behind_eos);
  read_multilingual_config(model_dir, made.specials.end(), made);
  return made;
}

}  // namespace knnseq::text
