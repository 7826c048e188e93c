// The best candidates that the threads of a block have seen, in shared memory. Kernel code: include
// it under nvcc, or after tests/support/cuda_emulation.hpp.
#pragma once

#include <cstdint>

#include "gpu/ivfpq_scan.hpp"

namespace knnseq::gpu {

inline constexpr float infinite_score = __builtin_inff();

struct Candidate {
  float score;
  std::uint32_t position;
};

/// Keeps the `kept` smallest of the candidates offered, by (score, entry number). They are gathered
/// in a buffer that is sorted and cut whenever it could overflow; from then on only candidates that
/// come before the last one kept are let in. All methods but precedes() are called by all threads
/// of the block together.
struct BestCandidates {
  float* scores;             ///< shared, [capacity]
  std::uint32_t* positions;  ///< shared, [capacity]
  std::uint32_t* count;      ///< shared
  const std::int64_t* ids;   ///< of all positions
  std::uint32_t kept;
  std::uint32_t capacity;
  Candidate last;  ///< the last one kept; later ones are not let in

  /// `memory`: capacity · 8 + 16 bytes, aligned to 16.
  __device__ void start(unsigned char* memory, const ScanPlan& plan, const std::int64_t* all_ids) {
    count = reinterpret_cast<std::uint32_t*>(memory);
    scores = reinterpret_cast<float*>(memory + 16);
    positions = reinterpret_cast<std::uint32_t*>(memory + 16 + plan.capacity * 4);
    ids = all_ids;
    kept = static_cast<std::uint32_t>(plan.kept);
    capacity = static_cast<std::uint32_t>(plan.capacity);
    last = {infinite_score, no_position};
    if (threadIdx.x == 0) *count = 0;
    __syncthreads();
  }

  __device__ std::int64_t number(std::uint32_t position) const {
    return ids[position] & ((std::int64_t{1} << 40) - 1);
  }

  /// Ids are read only if scores are equal.
  __device__ bool precedes(const Candidate& a, const Candidate& b) const {
    if (a.score != b.score) return a.score < b.score;
    if (a.position == no_position || b.position == no_position) return a.position < b.position;
    return number(a.position) < number(b.position);
  }

  /// One candidate per thread; missing ones, and those whose score is not a finite number,
  /// are not kept.
  __device__ void offer(const Candidate& candidate) {
    const bool enters = candidate.position != no_position && candidate.score < infinite_score &&
                        precedes(candidate, last);
    const unsigned entering = __ballot_sync(0xFFFFFFFFU, enters);
    const unsigned lane = threadIdx.x % 32;
    std::uint32_t first = 0;
    if (lane == 0 && entering != 0) {
      first = atomicAdd(count, static_cast<std::uint32_t>(__popc(entering)));
    }
    first = __shfl_sync(0xFFFFFFFFU, first, 0);
    if (enters) {
      const std::uint32_t at = first + __popc(entering & ((1U << lane) - 1));
      scores[at] = candidate.score;
      positions[at] = candidate.position;
    }
    // The last warp to add sees how full the buffer is. Reading `count` here instead would need
    // another barrier before the next addition.
    const bool full = enters && first + __popc(entering) + scan_threads > capacity;
    if (__syncthreads_or(full ? 1 : 0) != 0) cut(*count);
  }

  /// Sorts what is held; returns how many are kept, at the start of scores and positions.
  __device__ std::uint32_t finish() {
    const std::uint32_t held = *count;
    __syncthreads();
    cut(held);
    return held < kept ? held : kept;
  }

  /// Sorts `held` candidates and forgets all but the first `kept`.
  __device__ void cut(std::uint32_t held) {
    sort(held);
    const std::uint32_t left = held < kept ? held : kept;
    if (left == kept) last = {scores[kept - 1], positions[kept - 1]};
    if (threadIdx.x == 0) *count = left;
    __syncthreads();
  }

  /// A bitonic network (Batcher 1968), over the next power of two.
  __device__ void sort(std::uint32_t held) {
    std::uint32_t size = 2;
    while (size < held) size *= 2;
    for (std::uint32_t i = held + threadIdx.x; i < size; i += scan_threads) {
      scores[i] = infinite_score;
      positions[i] = no_position;
    }
    __syncthreads();
    for (std::uint32_t run = 2; run <= size; run *= 2) {
      for (std::uint32_t step = run / 2; step > 0; step /= 2) {
        for (std::uint32_t i = threadIdx.x; i < size / 2; i += scan_threads) {
          const std::uint32_t low = (i / step) * 2 * step + i % step;
          exchange(low, low + step, (low & run) == 0);
        }
        __syncthreads();
      }
    }
  }

  __device__ void exchange(std::uint32_t low, std::uint32_t high, bool ascending) {
    const Candidate a{scores[low], positions[low]};
    const Candidate b{scores[high], positions[high]};
    if (!(ascending ? precedes(b, a) : precedes(a, b))) return;
    scores[low] = b.score;
    positions[low] = b.position;
    scores[high] = a.score;
    positions[high] = a.position;
  }
};

}  // namespace knnseq::gpu
