#include "model/layers/attention_kernel.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <limits>

namespace knnseq::model {

#if defined(__x86_64__)

namespace avx512 {
#define KNNSEQ_KERNEL __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,fma")))
#define KNNSEQ_LANES 16
#include "model/layers/attention_kernel_body.inc"
#undef KNNSEQ_KERNEL
#undef KNNSEQ_LANES
}  // namespace avx512

namespace avx2 {
#define KNNSEQ_KERNEL __attribute__((target("avx2,fma")))
#define KNNSEQ_LANES 8
#include "model/layers/attention_kernel_body.inc"
#undef KNNSEQ_KERNEL
#undef KNNSEQ_LANES
}  // namespace avx2

#endif

namespace plain {
#define KNNSEQ_KERNEL
#define KNNSEQ_LANES 4
#include "model/layers/attention_kernel_body.inc"
#undef KNNSEQ_KERNEL
#undef KNNSEQ_LANES
}  // namespace plain

std::vector<AttentionKernel> attention_kernels() {
  std::vector<AttentionKernel> kernels;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")) {
    kernels.push_back({"avx512", avx512::attend, avx512::attend_chain});
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    kernels.push_back({"avx2", avx2::attend, avx2::attend_chain});
  }
#endif
  kernels.push_back({"plain", plain::attend, plain::attend_chain});
  return kernels;
}

const AttentionKernel& attention_kernel() {
  static const AttentionKernel best = attention_kernels().front();
  return best;
}

}  // namespace knnseq::model
