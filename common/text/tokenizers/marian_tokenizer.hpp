// The tokeniser of Hugging Face Marian (OPUS-MT) directories.
#pragma once

#include <memory>

#include "text/tokenizers/marian_side.hpp"
#include "text/tokenizers/tokenizer.hpp"

namespace knnseq::text {

/// Gives the ids of transformers' MarianTokenizer (5.23): SentencePiece pieces looked up in
/// vocab.json, unknown pieces as <unk>, special tokens written out in the text and a leading
/// ">>language<<" taken whole. Decoding equals decode(skip_special_tokens=True), with
/// use_source_tokenizer true for the source side and false for the target side, but languages
/// are left out, too, which transformers prints.
/// If a target language is given, its ">>language<<" token stands before every source.
class MarianTokenizer final : public Tokenizer {
 public:
  /// Reads source.spm, target.spm, vocab.json and, if they exist, tokenizer_config.json,
  /// special_tokens_map.json and (with "separate_vocabs") target_vocab.json.
  /// Throws InputError naming the file and what is wrong in it, or target_lang if the
  /// vocabulary has no token for it.
  explicit MarianTokenizer(const std::filesystem::path& model_dir, const Languages& languages = {});

  SourceFrame source_frame() const override;
  std::vector<core::TokenId> encode_source(std::string_view text) const override;
  std::vector<core::TokenId> encode_target(std::string_view text) const override;
  std::string decode_source(std::span<const core::TokenId> tokens) const override;
  std::string decode_target(std::span<const core::TokenId> tokens) const override;
  std::int64_t vocab_size() const override;
  std::int64_t source_vocab_size() const override;
  bool has_target_token(core::TokenId id) const override { return target_->has_token(id); }
  core::TokenId eos() const override;
  core::TokenId unk() const override;
  core::TokenId pad() const override;
  bool is_special(core::TokenId token) const override;
  std::vector<std::string> languages_left_open() const override;
  bool chooses_language(std::span<const core::TokenId> source) const override;

 private:
  std::unique_ptr<MarianSide> source_;
  std::unique_ptr<MarianSide> target_;
  std::vector<core::TokenId> language_;  ///< of the target, before every source; or none
};

/// See tokenizer_files.
std::vector<std::filesystem::path> marian_tokenizer_files(const std::filesystem::path& model_dir);

}  // namespace knnseq::text
