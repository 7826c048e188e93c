// What the config files of Hugging Face's translation models have in common.
#pragma once

#include <filesystem>

#include "core/files.hpp"
#include "model/families/model_config.hpp"

namespace knnseq::model {

// All throw InputError naming file and key.

/// Reads sizes, heads, activation and embedding scale of both stacks; norms and positions are left
/// to the family, as are the vocabularies.
TransformerConfig read_hugging_face_shape(ConfigReader& config);

/// Takes note of keys that matter for training or for other uses only, and of those that say
/// nothing new.
void ignore_harmless_keys(ConfigReader& config);

/// "bad_words_ids" of one token each, ascending; none where the key is missing.
std::vector<TokenId> read_bad_tokens(ConfigReader& config, std::int64_t vocab_size);

/// Reads a parsed generation_config.json into bad_tokens and unused_settings. What it forces must
/// be what `info` says already, or what every search does. `language_model`: the first token is
/// the target language, which the user chooses, so that a forced_bos_token_id is not adopted.
void read_generation_config(const std::filesystem::path& file, const core::Json& generation,
                            bool language_model, ModelInfo& info);

}  // namespace knnseq::model
