// Tokens that a Hugging Face directory adds to those of its SentencePiece model, with the ids that
// its files state. Private to this module.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/types.hpp"

namespace knnseq::text {

struct AddedToken {
  static constexpr const char* tokenizer_json = "tokenizer.json";

  std::string text;
  core::TokenId id = 0;
  bool special = true;         ///< stands for no text
  std::filesystem::path file;  ///< that states it
};

/// What "added_tokens_decoder" of tokenizer_config.json, added_tokens.json and "added_tokens" of
/// tokenizer.json say of ids beside `pieces` (by id; an empty one is none), each token once. Throws
/// InputError naming the file if they contradict one another, or if they or the vocabulary of
/// tokenizer.json give an id of `pieces` to another token.
std::vector<AddedToken> read_added_tokens(const std::filesystem::path& model_dir,
                                          const std::vector<std::string>& pieces);

}  // namespace knnseq::text
