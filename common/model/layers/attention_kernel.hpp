// The inner loops of attention on CPUs, compiled for several instruction sets.
#pragma once

#include <cstdint>
#include <vector>

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

/// Memory that jobs use and leave for the next one.
using AttentionScratch = std::vector<float>;

struct AttentionKernel {
  const char* name;  ///< instruction set
  void (*attend)(const AttentionJob& job, AttentionScratch& scratch);
  void (*attend_chain)(const ChainJob& job, AttentionScratch& scratch);
};

/// Those this CPU can run, fastest first: AVX-512, AVX2, plain. They differ in rounding only.
std::vector<AttentionKernel> attention_kernels();

/// The first of them.
const AttentionKernel& attention_kernel();

}  // namespace knnseq::model
