// What a many-to-many model's directory says of its tokens. Private to this module.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/types.hpp"
#include "text/pieces/sentence_pieces.hpp"
#include "text/pieces/special_tokens.hpp"

namespace knnseq::text {

/// The vocabulary of a model with language tokens.
struct MultilingualTokens {
  static constexpr const char* pieces_file = "sentencepiece.bpe.model";
  /// Fixed by fairseq's dictionary, which both families come from.
  static constexpr core::TokenId bos = 0, pad = 1, eos = 2, unk = 3;
  static constexpr const char* names[] = {"<s>", "<pad>", "</s>", "<unk>"};  ///< by id

  std::vector<std::string> pieces;  ///< by id, the four above included; empty if there is none
  std::map<std::string, core::TokenId> languages;  ///< by code, as users name them
  SpecialTokens specials;                          ///< languages included
  std::int64_t vocab_size = 0;                     ///< of the model; more than there are tokens
  bool language_behind_eos = false;                ///< in sources; else in front
  bool clean_up_spaces = false;                    ///< decoded text loses those before punctuation
  bool needs_tokenizer_json = false;               ///< it states ids that nothing else does
};

/// A family's reader of a model directory, given its SentencePiece model. Throws InputError naming
/// file and key if a file is missing, malformed, or asks for what the tokeniser does not do.
using MultilingualReader = MultilingualTokens (*)(const std::filesystem::path& model_dir,
                                                  const SentencePieces& pieces);

/// vocab.json, tokenizer_config.json and special_tokens_map.json of an M2M100 model; languages have
/// the ids that read_added_tokens() finds, else come after the vocabulary in transformers' order.
MultilingualTokens read_m2m100_tokens(const std::filesystem::path& model_dir,
                                      const SentencePieces& pieces);

/// SentencePiece's pieces, and NLLB's languages and <mask> with the ids that read_added_tokens()
/// finds, else after the pieces in NLLB-200's order. Languages that are listed in
/// special_tokens_map.json or tokenizer_config.json are refused if they are not NLLB-200's and
/// no file states their ids.
MultilingualTokens read_nllb_tokens(const std::filesystem::path& model_dir,
                                    const SentencePieces& pieces);

}  // namespace knnseq::text
