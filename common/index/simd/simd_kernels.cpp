#include "index/simd/simd_kernels.hpp"

namespace knnseq::index {

std::span<const SimdKernels> simd_kernels_of_this_cpu() {
  static const auto kernels = core::kernels_of_this_cpu([]<core::InstructionSet set>() {
    return SimdKernels{set,
                       pq_kernel<set>(),
                       nearest_kernel<set>(),
                       sum_kernel<set>(),
                       scan_kernel<set>(),
                       adc_kernel<set>()};
  });
  return kernels;
}

const SimdKernels& simd_kernels() {
  static const SimdKernels& best = simd_kernels_of_this_cpu().front();
  return best;
}

}  // namespace knnseq::index
