// Which hidden vector of the decoder serves as key and query.
#pragma once

#include <cstdint>
#include <string>

#include "core/enum_names.hpp"
#include "core/error.hpp"

namespace knnseq::model {

enum class KeyKind {
  ffn_in,   ///< input of a decoder layer's first feed-forward linear
  ffn_out,  ///< output of a decoder layer
};

constexpr auto names_of(KeyKind) {
  return core::enum_names<KeyKind>({{KeyKind::ffn_in, "ffn_in"}, {KeyKind::ffn_out, "ffn_out"}});
}

/// In a post-norm model ffn_in is the output of the encoder-attention layer norm and ffn_out that
/// of the layer's final layer norm; in a pre-norm model ffn_in is the output of the feed-forward
/// layer norm and ffn_out the residual stream after the layer (before the decoder's closing norm).
struct KeySpec {
  KeyKind kind = KeyKind::ffn_in;
  std::int64_t layer = -1;  ///< from 0; negative: counted from the last, which is −1

  constexpr KeySpec() = default;
  constexpr KeySpec(KeyKind of_last_layer) : kind(of_last_layer) {}  // NOLINT: a kind is a spec
  constexpr KeySpec(KeyKind of, std::int64_t at) : kind(of), layer(at) {}
  bool operator==(const KeySpec&) const = default;

  /// The same with a layer in [0, layers). Throws InputError if there is no such layer.
  KeySpec resolved(std::int64_t layers) const {
    const std::int64_t at = layer < 0 ? layers + layer : layer;
    if (at < 0 || at >= layers) {
      throw core::InputError("layer", std::to_string(layer) + " does not exist: the decoder has " +
                                          std::to_string(layers) + " layers");
    }
    return {kind, at};
  }
};

}  // namespace knnseq::model
