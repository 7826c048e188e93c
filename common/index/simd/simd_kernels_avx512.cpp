#if defined(__x86_64__) && !defined(__clang__)
#pragma GCC target("avx512f,avx512dq,fma")
#endif
#include "index/simd/nearest_kernel_body.hpp"
#include "index/simd/pq_kernel_body.hpp"
#include "index/simd/simd_kernels.hpp"
#include "index/simd/sum_kernel_body.hpp"

namespace knnseq::index {

SimdKernels simd_kernels_avx512() {
  return {assign_chunk_any<16, 4>, PanelScan<16, 4, 6>::scan, 16 * 4, add_rounded<0>, "avx512"};
}

}  // namespace knnseq::index
