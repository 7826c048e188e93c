// The search of inverted lists of PQ codes on a CUDA device, as raw memory. Also compiled as C++17.
#pragma once

#include <cstdint>

namespace knnseq::gpu {

/// Entries that are stored together: one per lane of a warp.
inline constexpr int scan_group_entries = 32;
inline constexpr int scan_threads = 256;  ///< of a block
inline constexpr int scan_warps = scan_threads / scan_group_entries;
/// The most neighbours that are kept on chip.
inline constexpr std::int64_t most_scan_k = 1024;
/// Stands for no entry.
inline constexpr std::uint32_t no_position = 0xFFFFFFFFU;

/// Lists in groups of 32 entries; the last group of a list is padded with entries of infinite
/// terms. Positions count entries across all groups. In a group the first `chunk_bytes` bytes of
/// all codes come first, then the next ones, so that a warp reads whole cache lines.
struct DeviceScanLists {
  std::int64_t m = 0;                   ///< bytes of a code
  std::int64_t padded_m = 0;            ///< up to a multiple of chunk_bytes, filled with zeros
  std::int64_t chunk_bytes = 0;         ///< 16 if m is a multiple of it, else 4
  const std::uint8_t* codes = nullptr;  ///< [groups, padded_m / chunk_bytes, 32, chunk_bytes]
  const float* terms = nullptr;         ///< [groups, 32], as IvfPqScan says
  const std::int64_t* ids = nullptr;    ///< [groups, 32], packed entry ids
  const std::int64_t* first_groups = nullptr;  ///< [nlist + 1]
};

struct DeviceScanCentroids {
  const float* rows = nullptr;  ///< [m, 256, padded_dsub], filled up with zeros
  std::int64_t dsub = 0;
  std::int64_t padded_dsub = 0;  ///< up to a multiple of 4
  float radius = 0;              ///< the largest norm of a row
};

struct DeviceScanQueries {
  const float* rotated = nullptr;       ///< [q, m · dsub]
  const std::int64_t* lists = nullptr;  ///< [q, nprobe]
  const float* distances = nullptr;     ///< [q, nprobe]
  std::int64_t q = 0;
  std::int64_t nprobe = 0;
  float factor = 0;  ///< −2 for L2, −1 for inner products
};

/// How a search is split up. Results do not depend on `splits`.
struct ScanPlan {
  std::int64_t k = 0;
  std::int64_t kept = 0;      ///< candidates by the tables' sums that are measured exactly; ≥ k
  std::int64_t capacity = 0;  ///< of a block's buffer: a power of two, ≥ kept + scan_threads
  std::int64_t splits = 1;    ///< blocks a query
  bool half_tables = true;    ///< fp16, else fp32
};

/// Working memory.
struct ScanScratch {
  void* tables = nullptr;              ///< [q, padded_m, 256] fp16 or fp32
  float* scales = nullptr;             ///< [q]
  float* scores = nullptr;             ///< [q, splits, kept]
  std::uint32_t* positions = nullptr;  ///< [q, splits, kept]
};

/// The k best entries of each query among its probed lists, by (distance, entry number), with
/// distances equal to IvfPqScan's to the last bit. The scan sums table entries; the `kept` best
/// entries by these sums are then measured. With fp32 tables this misses a neighbour only if more
/// than kept − k others lie within the sums' rounding of the k-th; with fp16 tables it is rare.
struct ScanJob {
  DeviceScanLists lists;
  DeviceScanCentroids centroids;
  DeviceScanQueries queries;
  ScanPlan plan;
  ScanScratch scratch;
  float* distances = nullptr;   ///< out: [q, k], infinite if there are fewer
  std::int64_t* ids = nullptr;  ///< out: [q, k], −1 if there are fewer
};

/// Queues a search on a CUDA stream (a cudaStream_t); all of the job's memory is the device's.
/// There must be queries and probes. Throws core::SystemError. Not in a build without CUDA, whose
/// tests run the same kernels on the host.
void launch_ivfpq_scan(const ScanJob& job, void* stream);

/// Shared memory of a block that scans, and of one that merges.
inline std::int64_t scan_shared_bytes(std::int64_t padded_m, std::int64_t nprobe,
                                      const ScanPlan& plan) {
  return padded_m * 256 * (plan.half_tables ? 2 : 4) + plan.capacity * 8 + (2 * nprobe + 1) * 4 +
         16;
}
inline std::int64_t merge_shared_bytes(const ScanPlan& plan) { return plan.capacity * 8 + 16; }

}  // namespace knnseq::gpu
