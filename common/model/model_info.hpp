// What the rest of the pipeline must know about a model, whatever its family.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/types.hpp"

namespace knnseq::model {

using core::TokenId;

struct ModelInfo {
  std::string family;           ///< "marian", "fake", …
  std::int64_t width = 0;       ///< d: length of hidden vectors, keys and queries
  std::int64_t vocab_size = 0;  ///< V of the target side
  std::int64_t max_positions =
      0;                      ///< most tokens of a source, EOS included, and of a decoder input
  TokenId decoder_start = 0;  ///< the decoder's first input; never a value
  TokenId eos = 0;
  TokenId pad = 0;
  std::vector<TokenId> bad_tokens;  ///< never chosen by a search; ascending
  /// Search settings of the model's generation_config.json as "key=value": for the log, not
  /// adopted.
  std::vector<std::string> unused_settings;
};

}  // namespace knnseq::model
