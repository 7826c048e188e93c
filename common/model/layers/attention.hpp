// Scaled dot-product attention over sentences that lie one after another, without padding.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <ATen/core/Tensor.h>

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

/// softmax(q·kᵀ / sqrt(head width))·v, head by head and segment by segment: [query rows, d], in the
/// dtype of the queries; computed in fp32.
/// Rows outside all segments come out as zeros. Work is shared among threads by segment and head;
/// the result does not depend on how many there are, nor on other segments.
at::Tensor attend(const AttentionInputs& inputs, std::span<const AttentionSegment> segments);

/// The keys and values of earlier decoding steps. A hypothesis's past is a chain of row numbers, so
/// reordering hypotheses moves no tensors.
struct AttentionHistory {
  /// One [rows, 2·d] fp32 tensor a step so far, this one included: keys and values side by side.
  std::span<const at::Tensor> steps;
  /// For each row now: its row in each of the steps.
  std::span<const std::vector<std::int32_t>> rows;
};

/// Attention of this step's queries [rows now rounded up, d] over the whole history: as many rows,
/// those beyond the history's are zeros; in the dtype of the queries.
at::Tensor attend_history(const at::Tensor& queries, const AttentionHistory& history,
                          std::int64_t heads);

}  // namespace knnseq::model
