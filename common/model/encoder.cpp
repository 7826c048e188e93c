#include "model/encoder.hpp"

#include <ATen/ATen.h>

namespace knnseq::model {

namespace {

at::Tensor self_attention(const EncoderLayer& layer, const at::Tensor& x, std::int64_t heads,
                          std::span<const AttentionSegment> segments) {
  const at::Tensor qkv = layer.qkv.forward(x);
  const std::int64_t width = x.size(1);
  return attend({.queries = qkv.narrow(1, 0, width),
                 .keys = qkv.narrow(1, width, width),
                 .values = qkv.narrow(1, 2 * width, width),
                 .heads = heads},
                segments);
}

}  // namespace

at::Tensor Encoder::forward(const PackedTokens& tokens, const LayerObserver& observer) const {
  std::vector<AttentionSegment> segments;
  for (std::size_t i = 0; i < tokens.sentences(); ++i) {
    segments.push_back(
        {tokens.starts[i], tokens.starts[i + 1], tokens.starts[i], tokens.starts[i + 1]});
  }
  at::Tensor x = embedding.forward(tokens.ids, tokens.positions);
  std::int64_t number = 0;
  for (const auto& layer : layers) {
    if (norm == NormPlacement::post) {
      const at::Tensor mixed = self_attention(layer, x, heads, segments);
      x = layer.attention_norm(layer.out.forward_add(mixed, x));
      x = layer.feed_forward_norm(layer.feed_forward.forward(x, x));
    } else {
      const at::Tensor mixed = self_attention(layer, layer.attention_norm(x), heads, segments);
      x = layer.out.forward_add(mixed, x);
      x = layer.feed_forward.forward(layer.feed_forward_norm(x), x);
    }
    if (observer) observer(number++, x);
  }
  return closing_norm(x);
}

}  // namespace knnseq::model
