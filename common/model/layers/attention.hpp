// Scaled dot-product attention. By kernels over sentences that lie one after another, without
// padding, in attention_cpu.cpp; by libtorch's fused kernels over a rectangle of sentences in
// attention_torch.cpp.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <ATen/core/Tensor.h>

#include "model/layers/padded_layout.hpp"

namespace knnseq::model {

/// Query rows [query_begin, query_end) attend to key rows [key_begin, key_end).
struct AttentionSegment {
  std::int64_t query_begin = 0;
  std::int64_t query_end = 0;
  std::int64_t key_begin = 0;
  std::int64_t key_end = 0;
};

/// Matrices [rows, heads·head width] of one dtype; rows may lie further apart, elements not.
struct AttentionInputs {
  at::Tensor queries;
  at::Tensor keys;
  at::Tensor values;
  std::int64_t heads = 1;
  bool causal = false;  ///< the i-th query of a segment sees the first i+1 keys only
};

/// ComputePath::cpu: softmax(q·kᵀ / sqrt(head width))·v, head by head and segment by segment:
/// [query rows, d], in the dtype of the queries; computed in fp32. Rows outside all segments come
/// out as zeros. Work is shared among threads by segment and head; the result does not depend on
/// how many there are, nor on other segments.
at::Tensor attend(const AttentionInputs& inputs, std::span<const AttentionSegment> segments);

/// The keys and values of earlier decoding steps. A hypothesis's past is a chain of row numbers, so
/// reordering hypotheses moves no tensors.
struct AttentionHistory {
  /// One [rows, 2·d] fp32 tensor a step so far, this one included: keys and values side by side.
  std::span<const at::Tensor> steps;
  /// For each present row: its row in each of the steps.
  std::span<const std::vector<std::int32_t>> rows;
};

/// Attention of this step's queries [rows now rounded up, d] over the whole history: as many rows,
/// those beyond the history's are zeros; in the dtype of the queries.
at::Tensor attend_history(const at::Tensor& queries, const AttentionHistory& history,
                          std::int64_t heads);

/// ComputePath::torch: softmax(q·kᵀ / sqrt(head width) + mask)·v, head by head, by
/// at::scaled_dot_product_attention.
struct FusedAttention {
  std::int64_t heads = 1;
  bool causal = false;   ///< the i-th query sees the first i+1 keys only
  at::Tensor mask = {};  ///< PaddedLayout::mask() of the keys

  /// queries [n, q, d], keys and values [n, k, d], elements of a row side by side: [n, q, d].
  at::Tensor operator()(const at::Tensor& queries, const at::Tensor& keys,
                        const at::Tensor& values) const;
};

/// Self-attention over packed rows, queries, keys and values side by side [rows, 3·d]: [rows, d].
/// With `causal` a token sees those up to itself, so that padding after it needs no mask.
at::Tensor attend_to_self(const at::Tensor& qkv, const PaddedLayout& layout, std::int64_t heads,
                          bool causal);

/// Packed queries [rows, d] over each sentence's keys and values, side by side in `padded_kv`
/// [sentences, longest, 2·d], which lie as `source` says: [rows, d].
at::Tensor attend_to_source(const at::Tensor& queries, const PaddedLayout& layout,
                            const at::Tensor& padded_kv, const PaddedLayout& source,
                            std::int64_t heads);

}  // namespace knnseq::model
