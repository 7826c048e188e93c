#include "model/transformer/decoder.hpp"

#include <ATen/ATen.h>

namespace knnseq::model {

std::vector<at::Tensor> Decoder::cross_keys_values(const at::Tensor& states) const {
  std::vector<at::Tensor> made;
  for (const auto& layer : layers) made.push_back(layer.cross_kv.forward(states));
  return made;
}

DecoderOutput Decoder::forward(at::Tensor x, const DecoderContext& context,
                               DecoderRequest request) const {
  const bool post = norm == NormPlacement::post;
  const auto self_attention = [&](std::size_t i, const at::Tensor& input) {
    return context.self_attention(i, layers[i].qkv.forward(input));
  };
  const auto cross_attention = [&](std::size_t i, const at::Tensor& input) {
    return context.cross_attention(i, layers[i].cross_query.forward(input));
  };
  DecoderOutput made;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const DecoderLayer& layer = layers[i];
    const bool wanted = static_cast<std::int64_t>(i) == request.key.layer;
    const bool done = wanted && !request.log_probs && !context.observer;
    at::Tensor input;  // of the feed-forward block
    if (post) {
      x = layer.self_norm(layer.self_out.forward_add(self_attention(i, x), x));
      x = layer.cross_norm(layer.cross_out.forward_add(cross_attention(i, x), x));
      input = x;
    } else {
      x = layer.self_out.forward_add(self_attention(i, layer.self_norm(x)), x);
      x = layer.cross_out.forward_add(cross_attention(i, layer.cross_norm(x)), x);
      input = layer.feed_forward_norm(x);
    }
    if (wanted && request.key.kind == KeyKind::ffn_in) {
      made.key = input;
      if (done) return made;
    }
    x = layer.feed_forward.forward(input, x);
    if (post) x = layer.feed_forward_norm(x);
    if (context.observer) context.observer(static_cast<std::int64_t>(i), x);
    if (wanted && request.key.kind == KeyKind::ffn_out) {
      made.key = x;
      if (done) return made;
    }
  }
  if (request.log_probs) made.hidden = closing_norm(x);
  return made;
}

at::Tensor Decoder::log_probs(const at::Tensor& hidden) const {
  return at::log_softmax(output.forward(hidden).to(at::kFloat), -1);
}

}  // namespace knnseq::model
