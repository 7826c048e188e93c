// Which hidden vector of the decoder serves as key and query.
#pragma once

#include <string_view>

#include "core/error.hpp"

namespace knnseq::model {

enum class KeyKind {
  ffn_in,   ///< input of the last decoder layer's first feed-forward linear
  ffn_out,  ///< output of the last decoder layer (pre-norm: before the decoder's closing norm)
};

inline std::string_view to_string(KeyKind kind) {
  return kind == KeyKind::ffn_in ? "ffn_in" : "ffn_out";
}

/// Throws InputError naming the two possible values.
inline KeyKind parse_key_kind(std::string_view name) {
  if (name == "ffn_in") return KeyKind::ffn_in;
  if (name == "ffn_out") return KeyKind::ffn_out;
  throw core::InputError("key: '" + std::string(name) + "' is neither ffn_in nor ffn_out");
}

}  // namespace knnseq::model
