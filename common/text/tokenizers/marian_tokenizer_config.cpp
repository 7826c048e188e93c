#include "text/tokenizers/marian_tokenizer_config.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "core/error.hpp"
#include "text/pieces/tokenizer_json.hpp"

namespace knnseq::text {

namespace {

namespace fs = std::filesystem;
using core::Json;

void read_token(const Json& json, const fs::path& path, const char* key, std::string& token) {
  if (json.contains(key)) token = token_text(json[key], path, key);
}

void read_special_tokens(const Json& json, const fs::path& path, MarianConfig& config) {
  read_token(json, path, "eos_token", config.eos);
  read_token(json, path, "unk_token", config.unk);
  read_token(json, path, "pad_token", config.pad);
}

/// Refuses tokens beside the three special ones.
void check_token(const Json& value, const fs::path& path, const std::string& key,
                 const MarianConfig& config) {
  const std::string token = token_text(value, path, key);
  const auto known = config.special_tokens();
  if (std::find(known.begin(), known.end(), token) == known.end()) {
    throw core::InputError(
        path, fmt::format("'{}' adds the token '{}': tokens beside {}, {} and {} are not supported",
                          key, token, config.eos, config.unk, config.pad));
  }
  for (const char* flag : {"lstrip", "rstrip", "single_word"}) {
    if (value.is_object() && value.contains(flag) && value[flag] == true) {
      throw core::InputError(path, fmt::format("'{}': '{}' is not supported", key, flag));
    }
  }
}

void check_supported(const Json& json, const fs::path& path, const MarianConfig& config) {
  for (const auto& [key, value] : json.items()) {
    const bool names_token = key.ends_with("_token") && (value.is_string() || value.is_object());
    const bool lists_tokens = key == "added_tokens_decoder" || key == "extra_special_tokens" ||
                              key == "additional_special_tokens";
    if (names_token) check_token(value, path, key, config);
    if (lists_tokens) {
      for (const Json& token : value) check_token(token, path, key, config);
    }
  }
  refuse_sampling(json, path);
}

}  // namespace

MarianConfig read_marian_config(const fs::path& model_dir) {
  const fs::path main_path = model_dir / "tokenizer_config.json";
  const fs::path map_path = model_dir / "special_tokens_map.json";
  const fs::path added_path = model_dir / "added_tokens.json";
  const Json main = read_object(main_path);
  const Json map = read_object(map_path);

  MarianConfig config;
  read_flag(main, main_path, "separate_vocabs", config.separate_vocabs);
  if (!main.contains("separate_vocabs") && fs::exists(model_dir / "target_vocab.json")) {
    throw core::InputError(main_path,
                           "must say 'separate_vocabs', since target_vocab.json is there");
  }
  read_flag(main, main_path, "clean_up_tokenization_spaces", config.clean_up_spaces);
  read_special_tokens(main, main_path, config);
  const bool legacy = !main.contains("added_tokens_decoder");  // else the other files are not read
  if (legacy) read_special_tokens(map, map_path, config);

  check_supported(main, main_path, config);
  if (legacy) {
    check_supported(map, map_path, config);
    const Json added = read_object(added_path);
    for (const auto& [token, id] : added.items()) {
      check_token(token, added_path, token, config);
    }
  }
  return config;
}

}  // namespace knnseq::text
