#include <optional>

#include <ATen/ATen.h>

#include "model/layers/attention.hpp"

namespace knnseq::model {

namespace {

/// [n, rows, d] as [n, heads, rows, head width], without a copy.
at::Tensor by_head(const at::Tensor& matrix, std::int64_t heads) {
  return matrix.unflatten(2, {heads, matrix.size(2) / heads}).transpose(1, 2);
}

}  // namespace

at::Tensor FusedAttention::operator()(const at::Tensor& queries, const at::Tensor& keys,
                                      const at::Tensor& values) const {
  const auto given = mask.defined() ? std::optional(mask) : std::nullopt;
  const at::Tensor out =
      at::scaled_dot_product_attention(by_head(queries, heads), by_head(keys, heads),
                                       by_head(values, heads), given, /*dropout_p=*/0.0, causal);
  return out.transpose(1, 2).flatten(2);
}

at::Tensor attend_to_self(const at::Tensor& qkv, const PaddedLayout& layout, std::int64_t heads,
                          bool causal) {
  const std::int64_t width = qkv.size(1) / 3;
  const at::Tensor padded = layout.pad(qkv);
  const FusedAttention attend{heads, causal, causal ? at::Tensor() : layout.mask()};
  return layout.unpad(attend(padded.narrow(2, 0, width), padded.narrow(2, width, width),
                             padded.narrow(2, 2 * width, width)));
}

at::Tensor attend_to_source(const at::Tensor& queries, const PaddedLayout& layout,
                            const at::Tensor& padded_kv, const PaddedLayout& source,
                            std::int64_t heads) {
  const std::int64_t width = queries.size(1);
  const FusedAttention attend{heads, /*causal=*/false, source.mask()};
  return layout.unpad(attend(layout.pad(queries), padded_kv.narrow(2, 0, width),
                             padded_kv.narrow(2, width, width)));
}

}  // namespace knnseq::model
