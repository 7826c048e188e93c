// Product-quantiser codes on a CUDA device, as raw memory. Also compiled as C++17.
#pragma once

#include <cstdint>

namespace knnseq::gpu {

inline constexpr int pq_threads = 128;      ///< of a block
inline constexpr int pq_rows_a_thread = 4;  ///< that are compared with the centroids together
inline constexpr int pq_tile_rows = pq_threads * pq_rows_a_thread;

/// All pointers are the device's. Distances are norm + Σ x·(−2c), each product added with one
/// rounding (FMA) in the order of the components: those of the CPU's AVX2 and AVX-512 kernels.
struct PqCodesJob {
  const float* x = nullptr;       ///< [n, m · dsub]
  const float* packed = nullptr;  ///< [m, centroids, 1 + dsub]: squared norm, components · −2
  std::int64_t n = 0;
  std::int64_t m = 0;
  std::int64_t dsub = 0;
  std::int64_t centroids = 0;     ///< per sub-vector, at most 256
  std::uint8_t* codes = nullptr;  ///< out: [n, m], or null
  /// [m, centroids, dsub], or null: every sub-vector, rounded as FixedPoint(scale) does, is added
  /// to the sum of its centroid. Sums of integers do not depend on their order.
  std::int64_t* sums = nullptr;
  std::int64_t* counts = nullptr;  ///< [m, centroids], if there are sums: likewise
  double scale = 0;
};

/// Queues the assignment of all rows on libtorch's current stream of the current device: nearest
/// centroids, ties to the lowest. Throws core::SystemError. Not in a build without CUDA.
void assign_pq_codes(const PqCodesJob& job);

/// Shared memory of a block if dsub has a kernel of its own (2, 4, 8): norms, components, and sums
/// and counts if they are wanted.
inline std::int64_t pq_shared_bytes(const PqCodesJob& job) {
  const std::int64_t centroids = job.centroids;
  return (job.sums == nullptr ? 0 : centroids * (job.dsub + 1) * 8) +
         centroids * (job.dsub + 1) * 4 + 16;
}

}  // namespace knnseq::gpu
