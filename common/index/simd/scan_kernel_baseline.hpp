// Sums of table bytes by plain loops. Part of scan_kernel.cpp.
#pragma once

#include "index/simd/scan_kernel.hpp"

namespace knnseq::index {

namespace {

constexpr bool near_tables = false;

/// Entries whose sums are kept in registers.
constexpr int group = 8;

void scan_block(const ScanRun& run, std::int64_t b) {
  const std::uint8_t* codes = run.blocks + b * scan_block_bytes(run.m);
  std::uint32_t sums[scan_block_entries];
  for (int first = 0; first < scan_block_entries; first += group) {
    std::uint32_t group_sums[group] = {};
    const auto add = [&](std::int64_t begin, std::int64_t end) {
      const std::uint8_t* table = run.table + begin * 256;
      for (std::int64_t row = begin; row < end; ++row, table += 256) {
        std::uint64_t bytes = 0;
        __builtin_memcpy(&bytes, codes + row * scan_block_entries + first, sizeof(bytes));
        for (int i = 0; i < group; ++i) group_sums[i] += table[bytes >> (8 * i) & 255];
      }
    };
    add_by_weight(run, add, [&] {
      for (std::uint32_t& sum : group_sums) sum *= 2;
    });
    __builtin_memcpy(sums + first, group_sums, sizeof(group_sums));
  }
  float terms[scan_block_entries];
  __builtin_memcpy(terms, codes + run.m * scan_block_entries, sizeof(terms));
  float* scores = run.scores + b * scan_block_entries;
  std::uint64_t passing = 0;
  for (int i = 0; i < scan_block_entries; ++i) {
    scores[i] = terms[i] + run.scale * static_cast<float>(sums[scan_byte_of(i)]);
    passing |= std::uint64_t{scores[i] < run.limit} << i;
  }
  run.passing[b] = passing;
}

void scan(const ScanRun& run) {
  for (std::int64_t b = 0; b < run.count; ++b) scan_block(run, b);
}

}  // namespace

}  // namespace knnseq::index
