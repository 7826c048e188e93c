#include "model/transformer/decoder.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "model/layers/log_softmax_kernel.hpp"

namespace knnseq::model {

namespace {

/// In place; logits [rows, V] fp32 in the host's memory, contiguous. A row is in the cache while it
/// is worked on; at::log_softmax() would write to another tensor as large.
void log_softmax_of_rows(at::Tensor& logits) {
  static const LogSoftmaxKernel kernel = core::kernels_of_this_cpu([]<core::InstructionSet set>() {
                                           return log_softmax_kernel<set>();
                                         }).front();
  constexpr std::int64_t rows_together = 16;  // that are worth a thread
  const std::int64_t columns = logits.size(1);
  auto* const first = logits.mutable_data_ptr<float>();
  at::parallel_for(0, logits.size(0), rows_together, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      kernel.log_softmax(first + row * columns, columns);
    }
  });
}

}  // namespace

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
  at::Tensor logits = output.forward(hidden).to(at::kFloat);
  if (!logits.is_cpu()) return at::log_softmax(logits, -1);
  logits = logits.contiguous();
  log_softmax_of_rows(logits);
  return logits;
}

}  // namespace knnseq::model
