// What the readers of many-to-many models' directories have in common. Private to this module.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "text/pieces/added_tokens.hpp"
#include "text/tokenizers/multilingual_tokens.hpp"

namespace knnseq::text {

// All throw InputError naming file and key.

/// Adds <s>, <pad>, </s> and <unk> to the special tokens. Throws if tokens.pieces, which came
/// from `path`, does not start with them.
void add_basic_tokens(const std::filesystem::path& path, MultilingualTokens& tokens);

/// Tokens after the pieces with the ids that a family gives them if no file states any.
struct FamilyTokens {
  std::vector<std::string> texts;                              ///< in the order of their ids
  std::string (*language)(const std::string& text) = nullptr;  ///< its code; empty: no language
};

/// Adds what files state, and the family's tokens if these hold none of its languages. Throws
/// if a stated token is not special (text that is kept is not supported), or has an id that the
/// family gives to another.
void add_special_tokens(const std::vector<AddedToken>& stated, const FamilyTokens& family,
                        MultilingualTokens& tokens);

/// "additional_special_tokens" (transformers 5: "extra_special_tokens") of special_tokens_map.json
/// or tokenizer_config.json, whichever has them, each with its file.
std::vector<std::pair<std::filesystem::path, std::string>> listed_special_tokens(
    const std::filesystem::path& model_dir);

/// Reads vocab_size from config.json, which must hold `used` tokens, and refuses in
/// tokenizer_config.json what the tokenisers do not do.
void read_multilingual_config(const std::filesystem::path& model_dir, core::TokenId used,
                              MultilingualTokens& tokens);

}  // namespace knnseq::text
