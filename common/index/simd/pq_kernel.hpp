// The assignment to product-quantiser centroids.
#pragma once

#include <cstdint>

#include "core/instruction_set.hpp"

namespace knnseq::index {

/// Rows that are worked on at a time.
inline constexpr int pq_chunk_rows = 128;

/// One chunk of rows, where their codes go, and sums to add the sub-vectors to.
struct PqChunk {
  const float* rows = nullptr;    ///< [count, m * dsub]
  const float* packed = nullptr;  ///< PqTables::packed
  std::int64_t count = 0;         ///< 1 … pq_chunk_rows
  std::int64_t m = 0;
  std::int64_t dsub = 0;
  std::int64_t centroids = 0;       ///< per sub-vector, at most 256
  std::uint8_t* codes = nullptr;    ///< [count, m], or null
  std::int64_t* sums = nullptr;     ///< [m, centroids, dsub], or null: rounded at this scale:
  std::int64_t* members = nullptr;  ///< [m, centroids], if there are sums
  double scale = 0;
  float* tile = nullptr;  ///< to work in, [pq_tile_columns(dsub), pq_chunk_rows]
};

/// Columns that are transposed together: whole sub-vectors, and a cache line of a row if it
/// holds several.
static constexpr std::int64_t pq_tile_columns(std::int64_t dsub) {
  constexpr std::int64_t cache_line = 16;
  return dsub < cache_line ? cache_line / dsub * dsub : dsub;
}

using PqKernel = void (*)(const PqChunk&);

/// pq_kernel.cpp, compiled for this instruction set.
template <core::InstructionSet set>
PqKernel pq_kernel();

}  // namespace knnseq::index
