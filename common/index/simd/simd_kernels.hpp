// The inner loops of training and adding, for the instruction set of this CPU.
#pragma once

#include "index/simd/nearest_kernel.hpp"
#include "index/simd/pq_kernel.hpp"
#include "index/simd/sum_kernel.hpp"

namespace knnseq::index {

struct SimdKernels {
  PqKernel pq = nullptr;
  NearestKernel nearest = nullptr;
  std::int64_t panel_rows = 0;  ///< rows that `nearest` works on at a time
  SumKernel sum = nullptr;
  const char* name = "";  ///< as ScanKernel's
};

/// Compiled for AVX-512, AVX2 with FMA and the baseline; chosen at run time.
const SimdKernels& simd_kernels();

SimdKernels simd_kernels_baseline();
SimdKernels simd_kernels_avx2();
SimdKernels simd_kernels_avx512();

}  // namespace knnseq::index
