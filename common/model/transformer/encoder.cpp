#include "model/transformer/encoder.hpp"

#include <ATen/ATen.h>

namespace knnseq::model {

at::Tensor Encoder::forward(at::Tensor x, const SelfAttention& attention,
                            const LayerObserver& observer) const {
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const EncoderLayer& layer = layers[i];
    const auto attend = [&](const at::Tensor& input) {
      return attention(i, layer.qkv.forward(input));
    };
    if (norm == NormPlacement::post) {
      x = layer.attention_norm(layer.out.forward_add(attend(x), x));
      x = layer.feed_forward_norm(layer.feed_forward.forward(x, x));
    } else {
      x = layer.out.forward_add(attend(layer.attention_norm(x)), x);
      x = layer.feed_forward.forward(layer.feed_forward_norm(x), x);
    }
    if (observer) observer(static_cast<std::int64_t>(i), x);
  }
  return closing_norm(x);
}

}  // namespace knnseq::model
