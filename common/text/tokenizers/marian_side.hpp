// One language side of a Marian tokeniser. Private to this module.
#pragma once

#include <filesystem>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/pieces/sentence_pieces.hpp"
#include "text/pieces/vocabulary.hpp"
#include "text/tokenizers/marian_tokenizer_config.hpp"

namespace knnseq::text {

/// A SentencePiece model with the vocabulary its pieces are looked up in.
class MarianSide {
 public:
  /// Throws InputError naming the file that is missing, malformed or without a special token.
  MarianSide(const std::filesystem::path& pieces_path, const std::filesystem::path& vocabulary_path,
             const MarianConfig& config);

  std::vector<core::TokenId> encode(std::string_view text) const;
  std::string decode(std::span<const core::TokenId> tokens) const;

  std::int64_t vocab_size() const { return vocabulary_.size(); }
  bool has_token(core::TokenId id) const { return vocabulary_.contains(id); }
  /// ">>language<<", which chooses the target language where it stands before a source.
  bool is_language(core::TokenId id) const { return languages_.contains(id); }
  /// The languages between these marks, in the order of their ids.
  std::vector<std::string> languages() const;
  core::TokenId eos() const { return eos_; }
  core::TokenId unk() const { return unk_; }
  core::TokenId pad() const { return pad_; }

 private:
  /// Appends the tokens of text that holds no special token.
  void encode_plain(std::string_view text, std::vector<core::TokenId>& tokens) const;

  MarianConfig config_;
  SentencePieces pieces_;
  Vocabulary vocabulary_;
  core::TokenId eos_;
  core::TokenId unk_;
  core::TokenId pad_;
  std::set<core::TokenId> languages_;
};

}  // namespace knnseq::text
