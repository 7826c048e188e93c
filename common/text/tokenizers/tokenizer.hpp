// Text to tokens and back, as a model directory defines it.
#pragma once

#include <filesystem>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/types.hpp"

namespace knnseq::text {

/// Languages to translate between, as the model names them ("de", "deu_Latn"); empty: none given.
struct Languages {
  std::string source;
  std::string target;
};

/// What the encoder's input has around a sentence's own tokens.
struct SourceFrame {
  std::vector<core::TokenId> prefix;
  std::vector<core::TokenId> suffix;  ///< EOS, and language tokens if the model has them there

  std::int64_t size() const { return std::ssize(prefix) + std::ssize(suffix); }
  /// Prefix, tokens, suffix; the tokens are cut so that all are at most `most`. Empty input
  /// stays empty.
  std::vector<core::TokenId> around(
      std::span<const core::TokenId> tokens,
      std::int64_t most = std::numeric_limits<std::int64_t>::max()) const;
};

/// The tokeniser of one model. Sentences are encoded to their own tokens: source_frame() says what
/// the encoder gets around them, a target is followed by EOS alone. Const functions may be called
/// from several threads at once. Text is UTF-8; whether it is valid is the caller's to check
/// (utf8.hpp).
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  virtual SourceFrame source_frame() const { return {{}, {eos()}}; }

  /// Tokens that the decoder is given after its start token, before it chooses any itself: the
  /// target language in many-to-many models. Never values of a datastore.
  virtual std::vector<core::TokenId> forced_target_tokens() const { return {}; }

  virtual std::vector<core::TokenId> encode_source(std::string_view text) const = 0;
  virtual std::vector<core::TokenId> encode_target(std::string_view text) const = 0;

  /// Special tokens (end of sentence, pad, languages) are left out; unknown ones are left out or
  /// printed as <unk>, as the family's own code has it. Ids must have a token on that side: if
  /// one has none it is left out or a std::logic_error. Whatever the tokens spell comes back, line
  /// breaks and NULs included: what is written to files goes through output_line().
  virtual std::string decode_source(std::span<const core::TokenId> tokens) const = 0;
  virtual std::string decode_target(std::span<const core::TokenId> tokens) const = 0;

  /// Tokens of the target vocabulary, special ones included: target ids lie in [0, vocab_size()).
  virtual std::int64_t vocab_size() const = 0;
  /// Whether there is such a token: not every id below vocab_size() need have one.
  virtual bool has_target_token(core::TokenId id) const { return id >= 0 && id < vocab_size(); }
  /// The same for the source vocabulary.
  virtual std::int64_t source_vocab_size() const = 0;
  /// The special tokens have the same ids on both sides.
  virtual core::TokenId eos() const = 0;
  virtual core::TokenId unk() const = 0;
  virtual core::TokenId pad() const = 0;

  /// Whether the token stands for no text: end of sentence, pad, a language, … Sentences that spell
  /// one out are not entries of a datastore. Unknown is not special in this sense.
  virtual bool is_special(core::TokenId token) const { return token == eos() || token == pad(); }

  /// The target languages among which a source chooses by its first token (">>fra<<"), if the
  /// model has several and none was given for all; otherwise none.
  virtual std::vector<std::string> languages_left_open() const { return {}; }
  /// Whether a source's own tokens choose one of these. Tokens as encode_source() gives them.
  virtual bool chooses_language(std::span<const core::TokenId>) const { return false; }
};

/// The ids of a model of `rows` target ids for which the tokeniser has no token, ascending: tables
/// are often padded to a multiple of 8 or 64. No search may choose them.
std::vector<core::TokenId> ids_without_token(const Tokenizer& tokenizer, std::int64_t rows);

/// Loads the tokeniser of a model directory; "model_type" in its config.json decides which kind.
/// Throws InputError naming the file if one is missing or malformed, or the kind is unknown, and
/// naming source_lang or target_lang if the model needs them, or does not know the given one.
std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& model_dir,
                                          const Languages& languages = {});

/// The files of a model directory that decide how text becomes tokens, for fingerprints; only
/// those that exist, in a fixed order. Throws like load_tokenizer.
std::vector<std::filesystem::path> tokenizer_files(const std::filesystem::path& model_dir);

}  // namespace knnseq::text
