// The tokeniser of directories that scripts/import_fairseq.py makes.
#pragma once

#include <memory>

#include "text/tokenizers/fairseq_side.hpp"
#include "text/tokenizers/tokenizer.hpp"

namespace knnseq::text {

/// Gives the ids of fairseq (0.12): the text is segmented as the model's was (BPE codes,
/// SentencePiece, or not at all if it comes segmented), split at white space and looked up in
/// the dictionary of its side. Symbols that are not there become <unk>; the special ones written
/// out in the text ("</s>") become themselves. Decoding equals fairseq's with --remove-bpe, or
/// with --remove-bpe=sentencepiece, except that byte pieces ("<0xE2>") are spelled, which fairseq
/// prints as they are; <unk> is printed, as there.
class FairseqTokenizer final : public Tokenizer {
 public:
  /// Reads fairseq_tokenizer.json {"segmentation": "none" | "bpe" | "sentencepiece"},
  /// dict.source.txt, dict.target.txt and, as the segmentation says, source.codes and target.codes
  /// or source.spm and target.spm. Throws InputError naming the file and what is wrong in it, or
  /// source_lang or target_lang if one is given: these models take none.
  explicit FairseqTokenizer(const std::filesystem::path& model_dir,
                            const Languages& languages = {});

  std::vector<core::TokenId> encode_source(std::string_view text) const override;
  std::vector<core::TokenId> encode_target(std::string_view text) const override;
  std::string decode_source(std::span<const core::TokenId> tokens) const override;
  std::string decode_target(std::span<const core::TokenId> tokens) const override;
  std::int64_t vocab_size() const override { return target_->vocab_size(); }
  std::int64_t source_vocab_size() const override { return source_->vocab_size(); }
  core::TokenId eos() const override { return FairseqDictionary::eos; }
  core::TokenId unk() const override { return FairseqDictionary::unk; }
  core::TokenId pad() const override { return FairseqDictionary::pad; }

 private:
  std::unique_ptr<FairseqSide> source_;
  std::unique_ptr<FairseqSide> target_;
};

/// See tokenizer_files.
std::vector<std::filesystem::path> fairseq_tokenizer_files(const std::filesystem::path& model_dir);

}  // namespace knnseq::text
