#include "text/tokenizers/multilingual_files.hpp"

#include <algorithm>
#include <array>
#include <map>

#include <fmt/format.h>

#include "core/error.hpp"
#include "text/pieces/tokenizer_json.hpp"

namespace knnseq::text {

namespace {
namespace fs = std::filesystem;
using core::TokenId;
}  // namespace

void add_basic_tokens(const fs::path& path, MultilingualTokens& tokens) {
  for (core::TokenId id = 0; id < std::ssize(MultilingualTokens::names); ++id) {
    const auto index = static_cast<std::size_t>(id);
    const std::string name = MultilingualTokens::names[index];
    if (index >= tokens.pieces.size() || tokens.pieces[index] != name) {
      throw core::InputError(path, fmt::format("the token {} must be '{}'", id, name));
    }
    tokens.specials.add(name, id);
  }
}

void add_special_tokens(const std::vector<AddedToken>& stated, const FamilyTokens& family,
                        MultilingualTokens& tokens) {
  const auto add = [&](const std::string& text, TokenId id) {
    tokens.specials.add(text, id);
    const std::string code = family.language(text);
    if (!code.empty()) tokens.languages.emplace(code, id);
  };
  std::map<std::string, TokenId> usual;
  for (const std::string& text : family.texts) {
    usual.emplace(text, core::narrow<TokenId>(tokens.pieces.size() + usual.size()));
  }
  bool states_languages = false;
  for (const AddedToken& token : stated) {
    if (!token.special) {
      throw core::InputError(
          token.file, fmt::format("adds the token '{}', which is not special: only tokens that "
                                  "stand for no text, as languages do, are supported",
                                  token.text));
    }
    const auto found = usual.find(token.text);
    const bool as_usual = found != usual.end() && found->second == token.id;
    states_languages |= found != usual.end() && !family.language(token.text).empty();
    tokens.needs_tokenizer_json |= !as_usual && token.file.filename() == AddedToken::tokenizer_json;
    add(token.text, token.id);
    usual.erase(token.text);
  }
  if (states_languages) return;
  for (const auto& [text, id] : usual) {
    const auto taken = std::ranges::find(stated, id, &AddedToken::id);
    if (taken != stated.end()) {
      throw core::InputError(taken->file, fmt::format("'{}' has the id {}, which is that of '{}' "
                                                      "if no file states another",
                                                      taken->text, id, text));
    }
    add(text, id);
  }
}

std::vector<std::pair<fs::path, std::string>> listed_special_tokens(const fs::path& model_dir) {
  std::vector<std::pair<fs::path, std::string>> listed;
  for (const char* file : {"special_tokens_map.json", "tokenizer_config.json"}) {
    const fs::path path = model_dir / file;
    const core::Json json = read_object(path);
    for (const char* key : {"additional_special_tokens", "extra_special_tokens"}) {
      if (!json.contains(key)) continue;
      for (const core::Json& token : json[key]) {
        listed.emplace_back(path, token_text(token, path, key));
      }
      if (!listed.empty()) return listed;
    }
  }
  return listed;
}

void read_multilingual_config(const fs::path& model_dir, core::TokenId used,
                              MultilingualTokens& tokens) {
  const fs::path path = model_dir / "tokenizer_config.json";
  const core::Json json = read_object(path);
  refuse_sampling(json, path);
  constexpr std::array<std::pair<const char*, core::TokenId>, 4> basic{
      {{"bos_token", 0}, {"pad_token", 1}, {"eos_token", 2}, {"unk_token", 3}}};
  for (const auto& [key, id] : basic) {
    const std::string name = MultilingualTokens::names[id];
    if (json.contains(key) && token_text(json[key], path, key) != name) {
      throw core::InputError(path, fmt::format("'{}' must be '{}'", key, name));
    }
  }
  const fs::path config_path = model_dir / "config.json";
  const core::Json config = read_object(config_path);
  if (!config.contains("vocab_size") || !config["vocab_size"].is_number_integer() ||
      config["vocab_size"] < used) {
    throw core::InputError(config_path,
                           fmt::format("'vocab_size' must be a number, and the {} tokens of the "
                                       "tokeniser must fit into it",
                                       used));
  }
  tokens.vocab_size = config["vocab_size"].get<std::int64_t>();
}

}  // namespace knnseq::text
