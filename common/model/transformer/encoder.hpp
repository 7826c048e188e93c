// The encoder of a Transformer.
#pragma once

#include <functional>
#include <vector>

#include "model/layers/embedding.hpp"
#include "model/layers/feed_forward.hpp"

namespace knnseq::model {

/// Called with each layer's output [rows, d], for tests that look inside.
using LayerObserver = std::function<void(std::int64_t layer, const at::Tensor& output)>;

/// Self-attention of one layer: [rows, 3·d] queries, keys and values to [rows, d].
using SelfAttention = std::function<at::Tensor(std::size_t layer, const at::Tensor& qkv)>;

struct EncoderLayer {
  Linear qkv;  ///< [3·d, d]: queries, keys, values
  Linear out;  ///< [d, d]
  LayerNorm attention_norm;
  FeedForward feed_forward;
  LayerNorm feed_forward_norm;
};

struct Encoder {
  Embedding embedding;
  std::vector<EncoderLayer> layers;
  LayerNorm closing_norm;  ///< may be none
  NormPlacement norm = NormPlacement::post;
  std::int64_t heads = 1;

  /// `x` are embeddings [rows, d]; as many come out.
  at::Tensor forward(at::Tensor x, const SelfAttention& attention,
                     const LayerObserver& observer = {}) const;
};

}  // namespace knnseq::model
