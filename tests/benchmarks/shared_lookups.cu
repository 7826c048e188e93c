#include <cuda_fp16.h>

#include "benchmarks/shared_lookups.hpp"
#include "gpu/cuda_check.hpp"
#include "gpu/ivfpq_scan_kernel.cuh"

namespace knnseq::benchmarks {

namespace {

constexpr int m = 64;
constexpr int words = m / 4;

extern __shared__ uint4 shared_memory[];

template <class Table>
__global__ void __launch_bounds__(gpu::scan_threads) look_up(std::int64_t rounds, float* out) {
  auto* table = reinterpret_cast<Table*>(shared_memory);
  for (int i = threadIdx.x; i < m * 256; i += gpu::scan_threads) {
    gpu::set_table(table[i], static_cast<float>(i % 31));
  }
  __syncthreads();
  unsigned code[words];
  unsigned random = blockIdx.x * gpu::scan_threads + threadIdx.x + 1;
#pragma unroll
  for (int w = 0; w < words; ++w) {
    random = (random ^ (random >> 15)) * 0x2c1b3c6dU;
    random = (random ^ (random >> 12)) * 0x297a2d39U;
    code[w] = random;
  }
  float sums[4] = {0, 0, 0, 0};
  for (std::int64_t round = 0; round < rounds; ++round) {
    const unsigned change = static_cast<unsigned>(round) * 0x9E3779B9U;
#pragma unroll
    for (int w = 0; w < words; ++w) gpu::add_word(table + w * 1024, code[w] ^ change, sums);
  }
  out[blockIdx.x * gpu::scan_threads + threadIdx.x] = (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

template <class Table>
void launch(std::int64_t blocks, std::int64_t rounds, float* out) {
  constexpr int shared = m * 256 * sizeof(Table);
  gpu::cuda_check(
      cudaFuncSetAttribute(look_up<Table>, cudaFuncAttributeMaxDynamicSharedMemorySize, shared),
      "cudaFuncSetAttribute");
  look_up<Table><<<static_cast<unsigned>(blocks), gpu::scan_threads, shared>>>(rounds, out);
  gpu::cuda_check(cudaGetLastError(), "launch of look-ups");
}

}  // namespace

void launch_shared_lookups(std::int64_t blocks, std::int64_t rounds, bool half_table, float* out) {
  if (half_table) {
    launch<__half>(blocks, rounds, out);
  } else {
    launch<float>(blocks, rounds, out);
  }
}

}  // namespace knnseq::benchmarks
