// Text to tokens and back, as a model directory defines it.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/types.hpp"

namespace knnseq::text {

/// The tokeniser of one model. Token ids come and go without the end of sentence: the caller adds
/// it. Const functions may be called from several threads at once. Text is UTF-8; whether it is
/// valid is the caller's to check (utf8.hpp).
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  virtual std::vector<core::TokenId> encode_source(std::string_view text) const = 0;
  virtual std::vector<core::TokenId> encode_target(std::string_view text) const = 0;

  /// Special tokens (end of sentence, pad, unknown) are left out. Ids must lie in the vocabulary of
  /// that side; std::logic_error otherwise.
  virtual std::string decode_source(std::span<const core::TokenId> tokens) const = 0;
  virtual std::string decode_target(std::span<const core::TokenId> tokens) const = 0;

  /// Tokens of the target vocabulary, special ones included: target ids lie in [0, vocab_size()).
  virtual std::int64_t vocab_size() const = 0;
  /// The special tokens have the same ids on both sides.
  virtual core::TokenId eos() const = 0;
  virtual core::TokenId unk() const = 0;
  virtual core::TokenId pad() const = 0;
};

/// Loads the tokeniser of a model directory; "model_type" in its config.json decides which kind.
/// Throws InputError naming the file where one is missing or malformed, or the kind is unknown.
std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& model_dir);

/// The files of a model directory that decide how text becomes tokens, for fingerprints; only
/// those that exist, in a fixed order. Throws like load_tokenizer.
std::vector<std::filesystem::path> tokenizer_files(const std::filesystem::path& model_dir);

}  // namespace knnseq::text
