// Attention by libtorch's fused kernels, for GPUs; on CPU tensors the same, for tests.
#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include "model/layers/padded_layout.hpp"

namespace knnseq::model {

/// softmax(q·kᵀ / sqrt(head width) + mask)·v, head by head, by at::scaled_dot_product_attention.
struct FusedAttention {
  std::int64_t heads = 1;
  bool causal = false;   ///< the i-th query sees the first i+1 keys only
  at::Tensor mask = {};  ///< PaddedLayout::mask() of the keys

  /// queries [n, q, d], keys and values [n, k, d], elements of a row side by side: [n, q, d].
  at::Tensor operator()(const at::Tensor& queries, const at::Tensor& keys,
                        const at::Tensor& values) const;
};

/// Self-attention over packed rows, queries, keys and values side by side [rows, 3·d]: [rows, d].
/// With `causal` a token sees those up to itself, so that padding behind it needs no mask.
at::Tensor attend_to_self(const at::Tensor& qkv, const PaddedLayout& layout, std::int64_t heads,
                          bool causal);

/// Packed queries [rows, d] over each sentence's keys and values, side by side in `padded_kv`
/// [sentences, longest, 2·d], which lie as `source` says: [rows, d].
at::Tensor attend_to_source(const at::Tensor& queries, const PaddedLayout& layout,
                            const at::Tensor& padded_kv, const PaddedLayout& source,
                            std::int64_t heads);

}  // namespace knnseq::model
