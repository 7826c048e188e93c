#if defined(__x86_64__) && !defined(__clang__)
#pragma GCC target("avx2,fma")
#endif
#include "index/simd/nearest_kernel_body.hpp"
#include "index/simd/pq_kernel_body.hpp"
#include "index/simd/simd_kernels.hpp"
#include "index/simd/sum_kernel_body.hpp"

namespace knnseq::index {

SimdKernels simd_kernels_avx2() {
  return {assign_chunk_any<8, 2>, PanelScan<8, 2, 6>::scan, 8 * 2, add_rounded<0>, "avx2"};
}

}  // namespace knnseq::index
