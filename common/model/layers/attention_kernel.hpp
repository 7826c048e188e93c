// Attention of one head on CPUs.
#pragma once

#include <cstdint>
#include <vector>

#include "core/instruction_set.hpp"

namespace knnseq::model {

/// Rows of one head: `data` is the head's first element of row 0.
struct HeadRows {
  const float* data = nullptr;
  std::int64_t stride = 0;  ///< floats from row to row
};

/// One segment and head.
struct AttentionJob {
  HeadRows queries;
  HeadRows keys;
  HeadRows values;
  float* out = nullptr;
  std::int64_t out_stride = 0;
  std::int64_t query_count = 0;
  std::int64_t key_count = 0;
  std::int64_t head_width = 0;
  bool causal = false;
};

/// One query over keys and values that lie anywhere.
struct ChainJob {
  const float* query = nullptr;
  const float* const* keys = nullptr;    ///< count pointers
  const float* const* values = nullptr;  ///< count pointers
  float* out = nullptr;
  std::int64_t count = 0;
  std::int64_t head_width = 0;
};

/// Of either job. `scratch`: attention_scratch() floats to work in.
struct AttentionKernel {
  core::InstructionSet set;
  void (*attend)(const AttentionJob& job, float* scratch);
  void (*attend_chain)(const ChainJob& job, float* scratch);
};

/// attention_kernel.cpp, compiled for this instruction set.
template <core::InstructionSet set>
AttentionKernel attention_kernel();

inline constexpr std::int64_t attention_query_tile = 4;    ///< queries that are worked on together
inline constexpr std::int64_t attention_column_tile = 32;  ///< floats, at most

/// For a job of so many keys.
static constexpr std::int64_t attention_scratch(std::int64_t keys, std::int64_t head_width) {
  const std::int64_t tiles = (keys + attention_column_tile - 1) / attention_column_tile;
  return (head_width + attention_query_tile) * tiles * attention_column_tile;
}

/// For each instruction set that this CPU can run, the best first. They differ in rounding only.
const std::vector<AttentionKernel>& attention_kernels();

}  // namespace knnseq::model
