#include <algorithm>

#include "gpu/cuda_check.hpp"
#include "gpu/device.hpp"
#include "gpu/pq_codes.hpp"
#include "gpu/pq_codes_kernel.cuh"

namespace knnseq::gpu {

namespace {

/// Blocks of a launch: several times as many as a large device runs at once.
constexpr std::int64_t wanted_blocks = 8192;

extern __shared__ uint4 shared_memory[];

template <int fixed_dsub>
__global__ void __launch_bounds__(pq_threads) assign(PqCodesJob job) {
  assign_to_pq<fixed_dsub>(job, reinterpret_cast<unsigned char*>(shared_memory));
}

}  // namespace

void assign_pq_codes(const PqCodesJob& job) {
  if (job.n == 0) return;
  void (*kernel)(PqCodesJob) = assign<0>;
  if (job.dsub == 2) kernel = assign<2>;
  if (job.dsub == 4) kernel = assign<4>;
  if (job.dsub == 8) kernel = assign<8>;
  const std::int64_t tiles = (job.n + pq_tile_rows - 1) / pq_tile_rows;
  const std::int64_t row_blocks = std::min(tiles, std::max<std::int64_t>(1, wanted_blocks / job.m));
  const dim3 grid(static_cast<unsigned>(job.m), static_cast<unsigned>(row_blocks));
  const auto shared = static_cast<std::size_t>(kernel == assign<0> ? 0 : pq_shared_bytes(job));
  kernel<<<grid, pq_threads, shared, static_cast<cudaStream_t>(current_stream())>>>(job);
  cuda_check(cudaGetLastError(), "launch of the assignment to PQ centroids");
}

}  // namespace knnseq::gpu
