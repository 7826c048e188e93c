// The shape of an encoder-decoder Transformer, whatever family it comes from.
#pragma once

#include <cstdint>
#include <string>

namespace knnseq::model {

enum class NormPlacement { post, pre };
enum class Activation { relu, gelu, silu };

/// One stack of equal layers.
struct StackConfig {
  std::int64_t layers = 0;
  std::int64_t heads = 0;
  std::int64_t ffn_width = 0;
  bool closing_norm = false;    ///< a layer norm behind the last layer
  bool embedding_norm = false;  ///< a layer norm on the embeddings
};

struct TransformerConfig {
  std::int64_t width = 0;
  std::int64_t max_positions = 0;
  NormPlacement norm = NormPlacement::post;
  Activation activation = Activation::relu;
  double norm_epsilon = 1e-5;
  double embedding_scale = 1.0;
  StackConfig encoder;
  StackConfig decoder;

  /// `where` names the file in errors. Throws InputError for sizes that cannot be.
  void validate(const std::string& where) const;
};

}  // namespace knnseq::model
