// What the rest of the pipeline must know about a model, whatever its family.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/types.hpp"
#include "model/base/key_kind.hpp"

namespace knnseq::model {

using core::TokenId;

struct ModelInfo {
  std::string family;               ///< "marian", "m2m_100", "fake", …
  std::int64_t width = 0;           ///< d: length of decoder vectors, keys and queries
  std::int64_t source_width = 0;    ///< length of encoder vectors and sentence keys
  std::int64_t decoder_layers = 0;  ///< layers whose vectors can be keys
  std::optional<KeySpec> only_key;  ///< if only one can be asked for: that one, resolved
  std::int64_t source_vocab_size = 0;
  std::int64_t vocab_size = 0;        ///< V of the target side
  std::int64_t source_positions = 0;  ///< most tokens of a source, all special ones included
  std::int64_t target_positions = 0;  ///< most tokens of a decoder input, START included
  TokenId decoder_start = 0;          ///< START: the decoder's first input; never a value
  /// What the decoder is given after START before it chooses any token: the target language.
  /// Never values; a search gives them a log-prob of 0 and counts them in the length, as
  /// transformers does.
  std::vector<TokenId> forced_tokens;
  TokenId eos = 0;
  TokenId pad = 0;
  std::vector<TokenId> bad_tokens;  ///< never chosen by a search; ascending
  /// Search settings of the model's generation_config.json as "key=value": for the log, not
  /// adopted.
  std::vector<std::string> unused_settings;

  /// Most tokens of a target, EOS included.
  std::int64_t target_tokens() const {
    return target_positions - static_cast<std::int64_t>(forced_tokens.size());
  }
};

/// The key asked for, its layer resolved. Throws InputError if the decoder has no such layer, or
/// the model, which `where` names, gives another key only.
KeySpec resolve_key(const ModelInfo& info, KeySpec asked, const std::string& where);

}  // namespace knnseq::model
