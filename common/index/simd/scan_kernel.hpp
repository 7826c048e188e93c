// The scan of inverted lists: look-up tables, and sums of their bytes.
#pragma once

#include <cstdint>

#include "core/instruction_set.hpp"

namespace knnseq::index {

/// Entries that are scanned at a time. A block in memory is [m, 64] bytes of codes and then [64]
/// fp32 terms (ScanLists).
inline constexpr int scan_block_entries = 64;

static constexpr std::int64_t scan_block_bytes(std::int64_t m) {
  return scan_block_entries * (m + static_cast<std::int64_t>(sizeof(float)));
}

/// Where in its row of 64 codes an entry's byte lies. Of each 32 entries the first 16 have the even
/// bytes and the others the odd ones: sums of bytes are made in 16-bit lanes, of the even bytes in
/// one register and of the odd ones in another, and come out of both in the order of entries.
static constexpr int scan_byte_of(int entry) {
  return (entry & 32) + 2 * (entry & 15) + ((entry >> 4) & 1);
}

/// Codes of a sub-vector that differ in bits 4 and 5 only have centroids near each other
/// (IvfPqScan). Of so many groups of four:
inline constexpr int scan_near_groups = 64;

/// The `member`-th code of a group.
static constexpr int scan_code_of(int group, int member) {
  return (group & 15) | member << 4 | group >> 4 << 6;
}

/// How many steps a byte of a table stands for. A row is that of one sub-vector.
struct ScanWeights {
  std::int64_t fours = 0;  ///< four in rows [0, fours)
  std::int64_t twos = 0;   ///< two in rows [fours, twos), one in the others
};

/// One query's look-up tables: of every sub-vector the contributions of all 256 centroids, less
/// their minimum, in whole steps, rounded down; and half the smallest byte of each group of near
/// codes, for a first and looser bound from a quarter of the table.
struct ScanTableJob {
  const float* query = nullptr;         ///< [m, dsub], times the metric's factor
  std::int64_t query_stride = 0;        ///< floats from one sub-vector of the query to the next
  const float* columns = nullptr;       ///< [m, dsub, 256], the centroids transposed
  const std::int64_t* order = nullptr;  ///< [m], the sub-vector of each row
  std::int64_t m = 0;
  std::int64_t dsub = 0;
  float levels = 0;                    ///< the largest byte
  int halvings = 0;                    ///< of steps, 0 to 2: m · levels · 2^halvings < 2^16
  float* products = nullptr;           ///< [m, 256], scratch
  float* minima = nullptr;             ///< out: [m], of rows
  float* widths = nullptr;             ///< out: [m], the largest differences within rows
  std::uint8_t* table = nullptr;       ///< out: [m, 256]
  std::uint8_t* near_table = nullptr;  ///< out: [m, scan_near_groups], if the kernel has any
  ScanWeights weights;                 ///< out
  float widest = 0;                    ///< out: the largest of the widths
};

/// Differences below this are not told apart in a table.
inline constexpr float least_scan_width = 1e-30F;

/// Consecutive blocks that one query is compared with.
struct ScanRun {
  const std::uint8_t* blocks = nullptr;  ///< [count, scan_block_bytes(m)], aligned to 64 bytes
  std::int64_t count = 0;
  std::int64_t m = 0;
  const std::uint8_t* table = nullptr;       ///< [m, 256], aligned to 64 bytes
  const std::uint8_t* near_table = nullptr;  ///< [m, scan_near_groups], likewise; or none
  ScanWeights weights = {};
  float scale = 0;  ///< a step
  float limit = 0;
  const std::uint8_t* next =
      nullptr;  ///< blocks that will be read after these: a hint, may be null
  /// out: [count, 64], term + scale · sum of table bytes and their weights; if limit is finite,
  /// anything that is not below it stands for scores that are not either
  float* scores = nullptr;
  std::uint64_t* passing = nullptr;  ///< out: [count], bit i: scores[i] < limit
};

/// Calls add(begin, end) for the rows of each weight, and twice() when sums so far count double.
template <class Add, class Twice>
[[gnu::always_inline]] static inline void add_by_weight(const ScanRun& run, const Add& add,
                                                        const Twice& twice) {
  add(std::int64_t{0}, run.weights.fours);
  twice();
  add(run.weights.fours, run.weights.twos);
  twice();
  add(run.weights.twos, run.m);
}

/// Sums of bytes are exact, so that kernels differ only in how tables and scores are rounded.
struct ScanKernel {
  bool near_tables;  ///< whether it reads and makes them
  void (*make_table)(ScanTableJob& job);
  void (*scan)(const ScanRun& run);
};

/// scan_kernel.cpp, compiled for this instruction set.
template <core::InstructionSet set>
ScanKernel scan_kernel();

}  // namespace knnseq::index
