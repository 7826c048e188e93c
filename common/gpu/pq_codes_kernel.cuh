// The body of the assignment to PQ centroids. Include it under nvcc, or after
// tests/support/cuda_emulation.hpp.
#pragma once

#include "gpu/pq_codes.hpp"

namespace knnseq::gpu {

/// round_to_fixed_point() of index/simd/fixed_point_magic.hpp.
__device__ inline unsigned long long fixed_point(float value, double scale) {
  constexpr double magic = 0x1.8p52;
  return static_cast<unsigned long long>(
      __double_as_longlong(__dadd_rn(__dmul_rn(static_cast<double>(value), scale), magic)) -
      __double_as_longlong(magic));
}

/// The centroids of one sub-vector, and where its sums are gathered.
struct PqCentroids {
  const float* rows;   ///< of centroid j from j · stride on
  const float* norms;  ///< of centroid j at j · norm_stride
  int stride;
  int norm_stride;
  unsigned long long* sums;    ///< [centroids, dsub]
  unsigned long long* counts;  ///< [centroids]
};

/// Rows of one thread: they stay in registers while the centroids pass by. fixed_dsub 0: dsub is
/// known at run time only, and rows are read again for each centroid.
template <int fixed_dsub>
struct PqThreadRows {
  static constexpr int rows = pq_rows_a_thread;
  const float* from[rows];  ///< the sub-vectors; null: no such row
  int codes[rows];

  __device__ void assign(const PqCodesJob& job, const PqCentroids& centroids) {
    const int dsub = fixed_dsub > 0 ? fixed_dsub : static_cast<int>(job.dsub);
    float x[rows][fixed_dsub > 0 ? fixed_dsub : 1];
    float best[rows];
#pragma unroll
    for (int i = 0; i < rows; ++i) {
      best[i] = __builtin_inff();
      codes[i] = 0;
#pragma unroll
      for (int t = 0; t < fixed_dsub; ++t) x[i][t] = from[i] == nullptr ? 0 : from[i][t];
    }
    const int count = static_cast<int>(job.centroids);
#pragma unroll 4
    for (int j = 0; j < count; ++j) {
      const float* row = centroids.rows + j * centroids.stride;
      const float norm = centroids.norms[j * centroids.norm_stride];
#pragma unroll
      for (int i = 0; i < rows; ++i) {
        float distance = norm;
#pragma unroll
        for (int t = 0; t < dsub; ++t) {
          const float value = fixed_dsub > 0 ? x[i][t] : from[i] == nullptr ? 0 : from[i][t];
          distance = __fmaf_rn(value, row[t], distance);
        }
        const bool nearer = distance < best[i];  // strictly: ties stay with the lowest code
        best[i] = nearer ? distance : best[i];
        codes[i] = nearer ? j : codes[i];
      }
    }
  }

  __device__ void add(const PqCodesJob& job, const PqCentroids& centroids) const {
    const int dsub = fixed_dsub > 0 ? fixed_dsub : static_cast<int>(job.dsub);
    for (int i = 0; i < rows; ++i) {
      if (from[i] == nullptr) continue;
      atomicAdd(centroids.counts + codes[i], 1ULL);
      for (int t = 0; t < dsub; ++t) {
        atomicAdd(centroids.sums + codes[i] * dsub + t, fixed_point(from[i][t], job.scale));
      }
    }
  }
};

/// Grid [m, any number of blocks, which share the tiles of rows], pq_threads threads,
/// pq_shared_bytes() (none with fixed_dsub 0: sums then go straight to the device's memory).
template <int fixed_dsub>
__device__ void assign_to_pq(const PqCodesJob& job, unsigned char* shared) {
  const std::int64_t s = blockIdx.x;
  const auto count = static_cast<int>(job.centroids);
  const int dsub = static_cast<int>(job.dsub);
  const float* packed = job.packed + s * count * (1 + dsub);
  auto* sums = job.sums == nullptr
                   ? nullptr
                   : reinterpret_cast<unsigned long long*>(job.sums) + s * count * dsub;
  auto* counts =
      job.sums == nullptr ? nullptr : reinterpret_cast<unsigned long long*>(job.counts) + s * count;
  PqCentroids centroids{packed + 1, packed, 1 + dsub, 1 + dsub, sums, counts};
  const int sum_count = job.sums == nullptr ? 0 : count * (dsub + 1);
  if (fixed_dsub > 0) {
    // Components first, for their alignment: a row of 4 is read at once.
    auto* rows = reinterpret_cast<float*>(shared);
    float* norms = rows + count * dsub;
    auto* own = reinterpret_cast<unsigned long long*>(
        shared + (static_cast<std::int64_t>(count) * (dsub + 1) * 4 + 15) / 16 * 16);
    for (int i = threadIdx.x; i < count; i += pq_threads) {
      norms[i] = packed[i * (1 + dsub)];
      for (int t = 0; t < dsub; ++t) rows[i * dsub + t] = packed[i * (1 + dsub) + 1 + t];
    }
    for (int i = threadIdx.x; i < sum_count; i += pq_threads) own[i] = 0;
    centroids = {rows, norms, fixed_dsub, 1, own, own + count * dsub};
    __syncthreads();
  }
  const std::int64_t tiles = (job.n + pq_tile_rows - 1) / pq_tile_rows;
  for (std::int64_t tile = blockIdx.y; tile < tiles; tile += gridDim.y) {
    PqThreadRows<fixed_dsub> rows;
    const std::int64_t first = tile * pq_tile_rows + threadIdx.x;
#pragma unroll
    for (int i = 0; i < pq_rows_a_thread; ++i) {
      const std::int64_t row = first + i * pq_threads;
      rows.from[i] = row < job.n ? job.x + (row * job.m + s) * dsub : nullptr;
    }
    rows.assign(job, centroids);
    for (int i = 0; i < pq_rows_a_thread; ++i) {
      if (job.codes == nullptr || rows.from[i] == nullptr) continue;
      job.codes[(first + i * pq_threads) * job.m + s] = static_cast<std::uint8_t>(rows.codes[i]);
    }
    if (job.sums != nullptr) rows.add(job, centroids);
  }
  if (fixed_dsub == 0 || job.sums == nullptr) return;
  __syncthreads();
  for (int i = threadIdx.x; i < count * dsub; i += pq_threads) {
    if (centroids.sums[i] != 0) atomicAdd(sums + i, centroids.sums[i]);
  }
  for (int i = threadIdx.x; i < count; i += pq_threads) {
    if (centroids.counts[i] != 0) atomicAdd(counts + i, centroids.counts[i]);
  }
}

}  // namespace knnseq::gpu
