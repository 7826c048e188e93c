// The decoder of a Transformer: layers that do not know whether they see whole targets or one step.
#pragma once

#include <functional>
#include <vector>

#include "model/base/key_kind.hpp"
#include "model/layers/feed_forward.hpp"
#include "model/transformer/encoder.hpp"

namespace knnseq::model {

struct DecoderLayer {
  Linear qkv;       ///< [3·d, d]: queries, keys, values
  Linear self_out;  ///< [d, d]
  LayerNorm self_norm;
  Linear cross_query;  ///< [d, d]
  Linear cross_kv;     ///< [2·d, encoder's d]: keys, values of the encoder's output
  Linear cross_out;    ///< [d, d]
  LayerNorm cross_norm;
  FeedForward feed_forward;
  LayerNorm feed_forward_norm;
};

/// What a pass through the decoder attends to.
struct DecoderContext {
  SelfAttention self_attention;
  /// Attention of one layer to the encoder's output: queries [rows, d] to [rows, d].
  std::function<at::Tensor(std::size_t layer, const at::Tensor& queries)> cross_attention;
  LayerObserver observer;  ///< may be empty
};

struct DecoderRequest {
  KeySpec key;  ///< resolved
  bool log_probs = false;
};

struct DecoderOutput {
  at::Tensor key;     ///< [rows, d]
  at::Tensor hidden;  ///< [rows, d] what the output projection takes; undefined unless requested
};

struct Decoder {
  Embedding embedding;
  std::vector<DecoderLayer> layers;
  LayerNorm closing_norm;  ///< may be none
  Linear output;           ///< [V, d]
  NormPlacement norm = NormPlacement::post;
  std::int64_t heads = 1;

  /// Of each layer [source rows, 2·d], for encoder states [source rows, encoder's d].
  std::vector<at::Tensor> cross_keys_values(const at::Tensor& states) const;

  /// `x` are embeddings [rows, d]. What the request does not need is not computed: with ffn_in and
  /// no log-probs, that layer's feed-forward block and all after it.
  DecoderOutput forward(at::Tensor x, const DecoderContext& context, DecoderRequest request) const;

  /// [rows, V] fp32 from DecoderOutput::hidden.
  at::Tensor log_probs(const at::Tensor& hidden) const;
};

}  // namespace knnseq::model
