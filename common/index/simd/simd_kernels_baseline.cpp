#include "index/simd/nearest_kernel_body.hpp"
#include "index/simd/pq_kernel_body.hpp"
#include "index/simd/simd_kernels.hpp"
#include "index/simd/sum_kernel_body.hpp"

namespace knnseq::index {

SimdKernels simd_kernels_baseline() {
  return {assign_chunk_any<4, 2>, PanelScan<4, 2, 2>::scan, 4 * 2, add_rounded<0>, "baseline"};
}

}  // namespace knnseq::index
