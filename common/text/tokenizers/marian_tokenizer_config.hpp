// What a Marian model directory says about its tokeniser. Private to this module.
#pragma once

#include <array>
#include <filesystem>
#include <string>

namespace knnseq::text {

struct MarianConfig {
  bool separate_vocabs = false;  ///< target_vocab.json beside vocab.json
  bool clean_up_spaces = false;  ///< decoded text loses spaces before punctuation
  std::string eos = "</s>";
  std::string unk = "<unk>";
  std::string pad = "<pad>";

  std::array<std::string, 3> special_tokens() const { return {eos, unk, pad}; }
};

/// Reads tokenizer_config.json, special_tokens_map.json and added_tokens.json, each if it
/// exists. Throws InputError naming file and key if a value is malformed or asks for something
/// that this tokeniser does not do (added tokens, SentencePiece sampling).
MarianConfig read_marian_config(const std::filesystem::path& model_dir);

}  // namespace knnseq::text
