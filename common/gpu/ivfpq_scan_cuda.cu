#include <cuda_fp16.h>

#include "gpu/cuda_check.hpp"
#include "gpu/ivfpq_scan.hpp"
#include "gpu/ivfpq_scan_kernel.cuh"

namespace knnseq::gpu {

namespace {

extern __shared__ uint4 shared_memory[];

__device__ unsigned char* shared_bytes() { return reinterpret_cast<unsigned char*>(shared_memory); }

template <class Table>
__global__ void __launch_bounds__(scan_threads) make_tables(ScanJob job) {
  make_scan_tables<Table>(job, shared_bytes());
}

template <class Table, int chunk_bytes>
__global__ void __launch_bounds__(scan_threads) scan(ScanJob job) {
  scan_groups<Table, chunk_bytes>(job, shared_bytes());
}

__global__ void __launch_bounds__(scan_threads) merge(ScanJob job) {
  merge_candidates(job, shared_bytes());
}

struct Size {
  dim3 grid;
  std::int64_t shared;  ///< bytes
};

void launch(void (*kernel)(ScanJob), const Size& size, const ScanJob& job, cudaStream_t stream) {
  cuda_check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                  static_cast<int>(size.shared)),
             "cudaFuncSetAttribute");
  kernel<<<size.grid, scan_threads, size.shared, stream>>>(job);
  cuda_check(cudaGetLastError(), "launch of the scan");
}

template <class Table>
void launch_with(const ScanJob& job, cudaStream_t stream) {
  const auto q = static_cast<unsigned>(job.queries.q);
  const auto table_blocks = (q + table_queries - 1) / table_queries;
  const dim3 tables(static_cast<unsigned>(job.lists.padded_m), table_blocks);
  launch(make_tables<Table>, {tables, table_queries * 4}, job, stream);
  const auto shared = scan_shared_bytes(job.lists.padded_m, job.queries.nprobe, job.plan);
  const dim3 scans(q, static_cast<unsigned>(job.plan.splits));
  launch(job.lists.chunk_bytes == 16 ? scan<Table, 16> : scan<Table, 4>, {scans, shared}, job,
         stream);
  launch(merge, {dim3(q), merge_shared_bytes(job.plan)}, job, stream);
}

}  // namespace

void launch_ivfpq_scan(const ScanJob& job, void* stream) {
  auto* const on = static_cast<cudaStream_t>(stream);
  if (job.plan.half_tables) {
    launch_with<__half>(job, on);
  } else {
    launch_with<float>(job, on);
  }
}

}  // namespace knnseq::gpu
