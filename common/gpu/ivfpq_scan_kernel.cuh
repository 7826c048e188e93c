// The bodies of the scan's kernels. Include it under nvcc, or after
// tests/support/cuda_emulation.hpp. `shared` is dynamic shared memory, aligned to 16 bytes.
#pragma once

#include <math.h>

#include "gpu/best_candidates.cuh"
#include "gpu/ivfpq_scan.hpp"

namespace knnseq::gpu {

__device__ inline float table_value(float entry) { return entry; }
__device__ inline float table_value(__half entry) { return __half2float(entry); }
__device__ inline void set_table(float& entry, float value) { entry = value; }
__device__ inline void set_table(__half& entry, float value) { entry = __float2half_rn(value); }

/// The power of two that a query's products are multiplied by so that none leaves fp16's range; the
/// products are at most |factor| · ‖query‖ · radius.
__device__ inline float table_multiplier(float largest) {
  if (!(largest > 0 && largest < infinite_score)) return 1;
  int exponent = 0;
  frexpf(largest, &exponent);
  const int wanted = 15 - exponent;
  return ldexpf(1, wanted < -100 ? -100 : wanted > 100 ? 100 : wanted);
}

/// Queries that share one reading of the centroids.
inline constexpr int table_queries = 16;

/// Look-up tables: grid [padded_m, ⌈q / 16⌉], 256 threads, one a centroid; table_queries floats of
/// shared memory.
template <class Table>
__device__ void make_scan_tables(const ScanJob& job, unsigned char* shared) {
  auto* multipliers = reinterpret_cast<float*>(shared);
  const DeviceScanQueries& queries = job.queries;
  const std::int64_t d = job.lists.m * job.centroids.dsub;
  const std::int64_t sub_vector = blockIdx.x;
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.y) * table_queries;
  for (std::int64_t i = threadIdx.x / 32; i < table_queries; i += scan_warps) {
    const std::int64_t query = first + i;
    float norm = 0;
    if (query < queries.q) {
      for (std::int64_t t = threadIdx.x % 32; t < d; t += 32) {
        const float value = queries.rotated[query * d + t];
        norm += value * value;
      }
    }
    for (unsigned mask = 16; mask > 0; mask /= 2) norm += __shfl_xor_sync(0xFFFFFFFFU, norm, mask);
    if (threadIdx.x % 32 != 0) continue;
    multipliers[i] = sizeof(Table) == sizeof(float)
                         ? 1
                         : table_multiplier(-queries.factor * sqrtf(norm) * job.centroids.radius);
    if (sub_vector == 0 && query < queries.q) job.scratch.scales[query] = 1 / multipliers[i];
  }
  __syncthreads();
  const std::int64_t centroid = threadIdx.x;
  const float* row = job.centroids.rows + (sub_vector * 256 + centroid) * job.centroids.padded_dsub;
  for (std::int64_t i = 0; i < table_queries && first + i < queries.q; ++i) {
    const std::int64_t query = first + i;
    float product = 0;
    if (sub_vector < job.lists.m) {
      const float* from = queries.rotated + query * d + sub_vector * job.centroids.dsub;
      for (std::int64_t t = 0; t < job.centroids.dsub; ++t) {
        product += queries.factor * from[t] * row[t];
      }
    }
    set_table(static_cast<Table*>(
                  job.scratch.tables)[(query * job.lists.padded_m + sub_vector) * 256 + centroid],
              product * multipliers[i]);
  }
}

/// The probed lists of one query as one row of groups, in shared memory.
struct ProbedGroups {
  std::uint32_t* before;  ///< [nprobe + 1], groups of the probes before
  std::uint32_t* first;   ///< [nprobe], of the probe's list

  /// Called by the first warp; the block must be synchronised afterwards.
  __device__ void fill(const ScanJob& job, std::int64_t query) const {
    const std::int64_t nprobe = job.queries.nprobe;
    std::uint32_t total = 0;
    for (std::int64_t base = 0; base < nprobe; base += 32) {
      const std::int64_t probe = base + threadIdx.x;
      std::uint32_t groups = 0;
      if (probe < nprobe) {
        const std::int64_t list = job.queries.lists[query * nprobe + probe];
        const std::int64_t begin = job.lists.first_groups[list];
        first[probe] = static_cast<std::uint32_t>(begin);
        groups = static_cast<std::uint32_t>(job.lists.first_groups[list + 1] - begin);
      }
      std::uint32_t sum = groups;
      for (unsigned delta = 1; delta < 32; delta *= 2) {
        const std::uint32_t other = __shfl_up_sync(0xFFFFFFFFU, sum, delta);
        if (threadIdx.x >= delta) sum += other;
      }
      if (probe < nprobe) before[probe] = total + sum - groups;
      total += __shfl_sync(0xFFFFFFFFU, sum, 31);
    }
    if (threadIdx.x == 0) before[nprobe] = total;
  }
};

/// Four table entries, for the bytes of a word of a code.
template <class Table>
__device__ __forceinline__ void add_word(const Table* table, unsigned word, float (&sums)[4]) {
  sums[0] += table_value(table[word & 255]);
  sums[1] += table_value(table[256 + ((word >> 8) & 255)]);
  sums[2] += table_value(table[512 + ((word >> 16) & 255)]);
  sums[3] += table_value(table[768 + (word >> 24)]);
}

/// The sum of the table's entries for the code of one lane.
template <class Table, int chunk_bytes>
__device__ __forceinline__ float table_sum(const ScanJob& job, const Table* table,
                                           std::uint32_t group, unsigned lane) {
  const std::uint8_t* codes =
      job.lists.codes + static_cast<std::int64_t>(group) * scan_group_entries * job.lists.padded_m;
  const int chunks = static_cast<int>(job.lists.padded_m) / chunk_bytes;
  float sums[4] = {0, 0, 0, 0};
#pragma unroll 4
  for (int c = 0; c < chunks; ++c) {
    const Table* part = table + c * chunk_bytes * 256;
    if (chunk_bytes == 16) {
      const uint4 words = __ldg(reinterpret_cast<const uint4*>(codes) + c * 32 + lane);
      add_word(part, words.x, sums);
      add_word(part + 1024, words.y, sums);
      add_word(part + 2048, words.z, sums);
      add_word(part + 3072, words.w, sums);
    } else {
      add_word(part, __ldg(reinterpret_cast<const unsigned*>(codes) + c * 32 + lane), sums);
    }
  }
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

/// Scans: grid [q, splits], scan_threads threads, scan_shared_bytes().
template <class Table, int chunk_bytes>
__device__ void scan_groups(const ScanJob& job, unsigned char* shared) {
  const std::int64_t query = blockIdx.x;
  const std::int64_t table_size = job.lists.padded_m * 256;
  auto* table = reinterpret_cast<Table*>(shared);
  BestCandidates best;
  unsigned char* rest = shared + table_size * static_cast<std::int64_t>(sizeof(Table));
  best.start(rest, job.plan, job.lists.ids);
  auto* before = reinterpret_cast<std::uint32_t*>(rest + job.plan.capacity * 8 + 16);
  const ProbedGroups groups{before, before + job.queries.nprobe + 1};

  if (threadIdx.x < 32) groups.fill(job, query);
  const auto* from = reinterpret_cast<const uint4*>(static_cast<const Table*>(job.scratch.tables) +
                                                    query * table_size);
  auto* to = reinterpret_cast<uint4*>(table);
  const std::int64_t words = table_size * static_cast<std::int64_t>(sizeof(Table)) / 16;
  for (std::int64_t i = threadIdx.x; i < words; i += scan_threads) to[i] = __ldg(from + i);
  __syncthreads();

  const std::uint64_t total = groups.before[job.queries.nprobe];
  const auto begin = static_cast<std::uint32_t>(total * blockIdx.y / gridDim.y);
  const auto end = static_cast<std::uint32_t>(total * (blockIdx.y + 1) / gridDim.y);
  const float scale = job.scratch.scales[query];
  const unsigned lane = threadIdx.x % 32;
  std::int64_t probe = 0;
  for (std::uint32_t base = begin; base < end; base += scan_warps) {
    const std::uint32_t at = base + threadIdx.x / 32;
    Candidate candidate{infinite_score, no_position};
    if (at < end) {
      while (groups.before[probe + 1] <= at) ++probe;
      const std::uint32_t group = groups.first[probe] + (at - groups.before[probe]);
      candidate.position = group * scan_group_entries + lane;
      candidate.score = job.queries.distances[query * job.queries.nprobe + probe] +
                        job.lists.terms[candidate.position] +
                        scale * table_sum<Table, chunk_bytes>(job, table, group, lane);
    }
    best.offer(candidate);
  }

  const std::uint32_t found = best.finish();
  const std::int64_t out = (query * gridDim.y + blockIdx.y) * job.plan.kept;
  for (std::uint32_t i = threadIdx.x; i < job.plan.kept; i += scan_threads) {
    job.scratch.scores[out + i] = i < found ? best.scores[i] : infinite_score;
    job.scratch.positions[out + i] = i < found ? best.positions[i] : no_position;
  }
}

/// ⟨factor · query, r̂⟩ for the code at a position, with the sums of ScanCentroids::dot.
__device__ inline float exact_product(const ScanJob& job, std::int64_t query,
                                      std::uint32_t position) {
  const DeviceScanLists& lists = job.lists;
  const std::int64_t dsub = job.centroids.dsub;
  const float* rotated = job.queries.rotated + query * lists.m * dsub;
  const std::uint8_t* codes = lists.codes +
                              static_cast<std::int64_t>(position / 32) * 32 * lists.padded_m +
                              static_cast<std::int64_t>(position % 32) * lists.chunk_bytes;
  float sums[4][4] = {};
  for (std::int64_t s = 0; s < lists.m; s += 4) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const std::int64_t sub_vector = s + i;
      if (sub_vector >= lists.m) continue;
      const int code = codes[sub_vector / lists.chunk_bytes * 32 * lists.chunk_bytes +
                             sub_vector % lists.chunk_bytes];
      const float* row = job.centroids.rows + (sub_vector * 256 + code) * job.centroids.padded_dsub;
      for (std::int64_t t = 0; t < job.centroids.padded_dsub; t += 4) {
#pragma unroll
        for (int lane = 0; lane < 4; ++lane) {
          const float value = t + lane < dsub ? rotated[sub_vector * dsub + t + lane] : 0;
          sums[i][lane] = __fadd_rn(sums[i][lane],
                                    __fmul_rn(__fmul_rn(job.queries.factor, value), row[t + lane]));
        }
      }
    }
  }
  float sum[4];
#pragma unroll
  for (int lane = 0; lane < 4; ++lane) {
    sum[lane] =
        __fadd_rn(__fadd_rn(sums[0][lane], sums[1][lane]), __fadd_rn(sums[2][lane], sums[3][lane]));
  }
  return __fadd_rn(__fadd_rn(sum[0], sum[1]), __fadd_rn(sum[2], sum[3]));
}

/// The exact distance of a candidate, whose probe is found again by its position.
__device__ inline float exact_distance(const ScanJob& job, std::int64_t query,
                                       std::uint32_t position) {
  const std::int64_t group = position / 32;
  const std::int64_t* probed = job.queries.lists + query * job.queries.nprobe;
  std::int64_t probe = 0;
  while (group < job.lists.first_groups[probed[probe]] ||
         group >= job.lists.first_groups[probed[probe] + 1]) {
    ++probe;
  }
  const float base = __fadd_rn(job.queries.distances[query * job.queries.nprobe + probe],
                               job.lists.terms[position]);
  return __fadd_rn(base, exact_product(job, query, position));
}

/// Merges the blocks' candidates, measures them and writes the result: grid [q], scan_threads
/// threads, merge_shared_bytes().
__device__ inline void merge_candidates(const ScanJob& job, unsigned char* shared) {
  const std::int64_t query = blockIdx.x;
  BestCandidates best;
  best.start(shared, job.plan, job.lists.ids);
  const std::int64_t count = job.plan.splits * job.plan.kept;
  for (std::int64_t base = 0; base < count; base += scan_threads) {
    const std::int64_t i = base + threadIdx.x;
    Candidate candidate{infinite_score, no_position};
    if (i < count) {
      candidate = {job.scratch.scores[query * count + i], job.scratch.positions[query * count + i]};
    }
    best.offer(candidate);
  }
  const std::uint32_t found = best.finish();
  for (std::uint32_t i = threadIdx.x; i < found; i += scan_threads) {
    best.scores[i] = exact_distance(job, query, best.positions[i]);
    if (!(best.scores[i] < infinite_score)) {
      best.scores[i] = infinite_score;
      best.positions[i] = no_position;
    }
  }
  __syncthreads();
  best.sort(found);
  for (std::int64_t i = threadIdx.x; i < job.plan.k; i += scan_threads) {
    const bool there = i < found && best.positions[i] != no_position;
    job.distances[query * job.plan.k + i] = there ? best.scores[i] : infinite_score;
    job.ids[query * job.plan.k + i] = there ? job.lists.ids[best.positions[i]] : -1;
  }
}

}  // namespace knnseq::gpu
