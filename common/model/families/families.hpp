// The families of native models, and what a family's file x_config.cpp needs to say how its
// config.json is read.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <set>
#include <string>
#include <vector>

#include "core/files.hpp"
#include "model/base/model_info.hpp"
#include "model/base/transformer_config.hpp"

namespace knnseq::model {

/// Names of tensors that differ between the families.
struct TensorNames {
  std::string stacks;       ///< before "encoder." and "decoder."
  std::string output;       ///< of the output projection
  std::string output_bias;  ///< [1, V]; read if the config has a bias
};

struct ModelConfig {
  TransformerConfig transformer;
  ModelInfo info;
  TensorNames names;
};

/// The keys of one JSON file; notices those that nobody asked for. All errors are InputErrors
/// naming file and key.
class ConfigReader {
 public:
  /// Throws if `json` is not an object.
  ConfigReader(std::string file, const core::Json& json);

  std::int64_t integer(const std::string& key);
  std::int64_t integer(const std::string& key, std::int64_t fallback);  ///< if missing or null
  bool boolean(const std::string& key, bool fallback);
  std::string text(const std::string& key);

  /// The value, null if it is missing; counts as read.
  const core::Json& value(const std::string& key);

  /// Throws if the key is there with any other value (null counts as missing).
  void expect(const std::string& key, const core::Json& only);

  /// Marks keys that need not be read.
  void ignore(std::initializer_list<const char*> keys);

  /// The keys that nobody read, expected or ignored, ascending.
  std::vector<std::string> unread() const;

  /// Throws if unread() is not empty, naming all of them.
  void finish() const;

  [[noreturn]] void fail(const std::string& key, const std::string& message) const;

 private:
  std::string file_;
  const core::Json& json_;
  std::set<std::string> read_;
};

/// Fills family, widths, layers, positions and vocabulary sizes.
void describe_shape(const std::string& family, const TransformerConfig& transformer,
                    ModelInfo& info);

/// Throws InputError naming file and `key`, which the width came from, if the stack is too
/// narrow for its kind of positions.
void check_position_width(ConfigReader& config, const std::string& key, const StackConfig& stack);

/// "relu", "gelu" (by the error function), "silu" or "swish". Throws InputError.
Activation read_activation(ConfigReader& config, const std::string& key);

/// A token inside the vocabulary. Throws InputError naming file and key.
TokenId read_token(ConfigReader& config, const std::string& key, std::int64_t vocab_size);

// What the config files of Hugging Face's translation models have in common. All throw InputError
// naming file and key.

/// Reads sizes, heads, activation and embedding scale of both stacks; norms and positions are left
/// to the family, as are the vocabularies.
TransformerConfig read_hugging_face_shape(ConfigReader& config);

/// Takes note of keys that matter for training or for other uses only, and of those that say
/// nothing new.
void ignore_harmless_keys(ConfigReader& config);

/// "bad_words_ids" of one token each, ascending; none if the key is missing.
std::vector<TokenId> read_bad_tokens(ConfigReader& config, std::int64_t vocab_size);

/// Reads a parsed generation_config.json into bad_tokens and unused_settings. What it forces must
/// be what `info` says already, or what every search does. `language_model`: the first token is
/// the target language, which the user chooses, so that a forced_bos_token_id is not adopted.
void read_generation_config(const std::filesystem::path& file, const core::Json& generation,
                            bool language_model, ModelInfo& info);

// One reader a family. `config` and, unless null, `generation` are the parsed config.json and
// generation_config.json of `folder`. Every key must be one that is honoured or known not to matter
// when translating. They throw InputError naming file and key.

/// What scripts/import_fairseq.py writes: keys are fairseq's options. There is no
/// generation_config.json: where one lies there all the same, it is refused.
ModelConfig read_fairseq_config(const std::filesystem::path& folder, const core::Json& config,
                                const core::Json& generation);
/// Pre-norm with closing norms, fairseq's sinusoidal positions, one table for both sides and the
/// output. The target language is the user's to choose, so a forced_bos_token_id is not adopted.
ModelConfig read_m2m100_config(const std::filesystem::path& folder, const core::Json& config,
                               const core::Json& generation);
/// Marian as Hugging Face has it.
ModelConfig read_marian_config(const std::filesystem::path& folder, const core::Json& config,
                               const core::Json& generation);

/// One kind of model directory.
struct Family {
  const char* model_type;  ///< of its config.json
  decltype(&read_marian_config) read;
};

/// All of them; text/tokenizers/load_tokenizer.cpp has their tokenisers.
inline constexpr std::array families{
    Family{"fairseq_transformer", read_fairseq_config},
    Family{"m2m_100", read_m2m100_config},
    Family{"marian", read_marian_config},
};

}  // namespace knnseq::model
