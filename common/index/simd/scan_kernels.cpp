#include "index/simd/scan_kernels.hpp"

namespace knnseq::index {

std::vector<const ScanKernel*> scan_kernels_of_this_cpu() {
  std::vector<const ScanKernel*> kernels;
#if defined(__x86_64__) && !defined(__clang__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi")) {
    kernels.push_back(&scan_kernel_avx512);
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    kernels.push_back(&scan_kernel_avx2);
  }
#endif
  kernels.push_back(&scan_kernel_baseline);
  return kernels;
}

}  // namespace knnseq::index
