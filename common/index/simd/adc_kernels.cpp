#include "index/simd/adc_kernels.hpp"

#include "index/simd/scan_kernels.hpp"

namespace knnseq::index {

std::vector<const AdcKernel*> adc_kernels_of_this_cpu() {
  std::vector<const AdcKernel*> kernels;
  for (const ScanKernel* scan : scan_kernels_of_this_cpu()) {
#if defined(__x86_64__) && !defined(__clang__)
    if (scan == &scan_kernel_avx512) kernels.push_back(&adc_kernel_avx512);
    if (scan == &scan_kernel_avx2) kernels.push_back(&adc_kernel_avx2);
#endif
    if (scan == &scan_kernel_baseline) kernels.push_back(&adc_kernel_baseline);
  }
  return kernels;
}

}  // namespace knnseq::index
