// What the tokenisers of many-to-many models have in common. Private to this module.
#pragma once

#include "text/pieces/string_map.hpp"
#include "text/tokenizers/multilingual_tokens.hpp"
#include "text/tokenizers/tokenizer.hpp"

namespace knnseq::text {

/// SentencePiece between special tokens, which are taken whole; both sides alike. The source's
/// language is part of the frame, the target's is forced. Families differ in how pieces are joined.
class MultilingualTokenizer : public Tokenizer {
 public:
  SourceFrame source_frame() const override { return frame_; }
  std::vector<core::TokenId> forced_target_tokens() const override { return {target_language_}; }
  std::vector<core::TokenId> encode_source(std::string_view text) const override;
  std::vector<core::TokenId> encode_target(std::string_view text) const override;
  std::string decode_source(std::span<const core::TokenId> tokens) const override;
  std::string decode_target(std::span<const core::TokenId> tokens) const override;
  std::int64_t vocab_size() const override { return tokens_.vocab_size; }
  std::int64_t source_vocab_size() const override { return tokens_.vocab_size; }
  bool has_target_token(core::TokenId id) const override;
  core::TokenId eos() const override { return MultilingualTokens::eos; }
  core::TokenId unk() const override { return MultilingualTokens::unk; }
  core::TokenId pad() const override { return MultilingualTokens::pad; }
  bool is_special(core::TokenId token) const override;

 protected:
  /// Throws InputError as `read` does, and naming source_lang or target_lang if one is missing
  /// or unknown.
  MultilingualTokenizer(const std::filesystem::path& model_dir, MultilingualReader read,
                        const Languages& languages);

  /// The text of pieces none of which is special.
  virtual std::string join(const std::vector<std::string>& pieces) const = 0;

  const SentencePieces& pieces() const { return pieces_; }
  bool clean_up_spaces() const { return tokens_.clean_up_spaces; }

 private:
  void encode_plain(std::string_view text, std::vector<core::TokenId>& tokens) const;

  SentencePieces pieces_;
  MultilingualTokens tokens_;
  StringMap<core::TokenId> ids_;  ///< of pieces
  SourceFrame frame_;
  core::TokenId target_language_;
};

/// The tokeniser of a directory with "model_type": "m2m_100": "tokenizer_class" in
/// tokenizer_config.json says whether M2M100's or NLLB's; if it is missing, M2M100's if there is
/// a vocab.json. Throws InputError as load_tokenizer.
std::unique_ptr<Tokenizer> make_multilingual_tokenizer(const std::filesystem::path& model_dir,
                                                       const Languages& languages);

/// See tokenizer_files.
std::vector<std::filesystem::path> multilingual_tokenizer_files(
    const std::filesystem::path& model_dir);

}  // namespace knnseq::text
