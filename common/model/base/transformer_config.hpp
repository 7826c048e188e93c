// The shape of an encoder-decoder Transformer, whatever family it comes from.
#pragma once

#include <cstdint>
#include <string>

#include "core/entry_id.hpp"

namespace knnseq::model {

// The largest sizes that a model may have; products of them and of entries are far from overflow.
inline constexpr std::int64_t most_width = 65'536;
inline constexpr std::int64_t most_ffn_width = 1'048'576;
inline constexpr std::int64_t most_layers = 1'000;
inline constexpr std::int64_t most_positions = 1'000'000;
inline constexpr std::int64_t most_tokens =
    core::max_id_token + 1;  ///< what an entry's id can hold

enum class NormPlacement { post, pre };
enum class Activation { relu, gelu, silu };
enum class PositionKind {
  none,
  learned,
  sinusoidal,  ///< Vaswani et al., 2017: wavelengths 2π·10000^(2i/d); transformers' Marian
  fairseq_sinusoidal,  ///< wavelengths 2π·10000^(i/(d/2−1)); fairseq, M2M100, NLLB
};

/// One stack of equal layers.
struct StackConfig {
  std::int64_t width = 0;
  std::int64_t layers = 0;
  std::int64_t heads = 0;
  std::int64_t ffn_width = 0;
  NormPlacement norm = NormPlacement::post;
  bool closing_norm = false;     ///< a layer norm after the last layer
  bool embedding_norm = false;   ///< a layer norm on the embeddings
  double embedding_scale = 1.0;  ///< of token embeddings
  PositionKind positions = PositionKind::sinusoidal;
  std::int64_t max_positions = 0;
  std::int64_t position_offset = 0;  ///< row of the position table that the first token takes
};

struct TransformerConfig {
  Activation activation = Activation::relu;
  double norm_epsilon = 1e-5;
  StackConfig encoder;
  StackConfig decoder;
  std::int64_t source_vocab_size = 0;
  std::int64_t vocab_size = 0;     ///< of the target side
  bool shared_embeddings = false;  ///< one table for both sides
  bool tied_output = false;        ///< the output projection is the decoder's table
  bool output_bias = false;

  /// `where` names the file in errors. Throws InputError for impossible sizes.
  void validate(const std::string& where) const;
};

}  // namespace knnseq::model
