#include "index/simd/simd_kernels.hpp"

namespace knnseq::index {

namespace {

SimdKernels kernels_of_this_cpu() {
#if defined(__x86_64__) && !defined(__clang__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")) {
    return simd_kernels_avx512();
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return simd_kernels_avx2();
#endif
  return simd_kernels_baseline();
}

}  // namespace

const SimdKernels& simd_kernels() {
  static const SimdKernels kernels = kernels_of_this_cpu();
  return kernels;
}

}  // namespace knnseq::index
