// The encoder of a Transformer.
#pragma once

#include <functional>
#include <vector>

#include "model/attention.hpp"
#include "model/embedding.hpp"
#include "model/feed_forward.hpp"
#include "model/packed_tokens.hpp"

namespace knnseq::model {

/// Called with each layer's output [rows rounded up, d], for tests that look inside.
using LayerObserver = std::function<void(std::int64_t layer, const at::Tensor& output)>;

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

  /// [rows rounded up, d].
  at::Tensor forward(const PackedTokens& tokens, const LayerObserver& observer = {}) const;
};

}  // namespace knnseq::model
