// Sums of table bytes by byte permutations of 128 entries. Part of scan_kernel.cpp.
#pragma once

// GCC 12's own header initialises what it leaves undefined with itself.
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>

#include "index/simd/scan_kernel.hpp"

namespace knnseq::index {

namespace {

/// A table of 256 bytes in four registers.
struct Table {
  __m512i quarters[4];

  explicit Table(const std::uint8_t* from) {
    for (int i = 0; i < 4; ++i) quarters[i] = _mm512_load_si512(from + 64 * i);
  }

  __m512i look_up(__m512i codes) const {
    const __m512i low = _mm512_permutex2var_epi8(quarters[0], codes, quarters[1]);
    const __m512i high = _mm512_permutex2var_epi8(quarters[2], codes, quarters[3]);
    return _mm512_mask_blend_epi8(_mm512_movepi8_mask(codes), low, high);
  }
};

/// Sums of 64 rows of bytes: `both` has the even bytes and 256 times the odd ones, modulo 2^16.
struct Sums {
  __m512i both;
  __m512i odd;

  Sums() : both(_mm512_setzero_si512()), odd(_mm512_setzero_si512()) {}

  void add(__m512i bytes) {
    both = _mm512_add_epi16(both, bytes);
    odd = _mm512_add_epi16(odd, _mm512_srli_epi16(bytes, 8));
  }
};

/// Scores of 16 entries; bits of those that pass.
std::uint64_t score(const ScanRun& run, __m256i sums, const float* terms, float* scores) {
  const __m512 values =
      _mm512_fmadd_ps(_mm512_set1_ps(run.scale), _mm512_cvtepi32_ps(_mm512_cvtepu16_epi32(sums)),
                      _mm512_load_ps(terms));
  _mm512_storeu_ps(scores, values);
  return _mm512_cmp_ps_mask(values, _mm512_set1_ps(run.limit), _CMP_LT_OQ);
}

/// Blocks that are worked on together, so that each part of the table is loaded once for all.
constexpr int most_blocks = 4;

/// Blocks b … b + count − 1.
template <int count>
void scan_blocks(const ScanRun& run, std::int64_t b) {
  const std::int64_t bytes = scan_block_bytes(run.m);
  const std::uint8_t* codes = run.blocks + b * bytes;
  // Prefetches as many blocks ahead: without this the processor waits for memory half of the time.
  const bool is_last = b + most_blocks >= run.count && run.next != nullptr;
  const std::uint8_t* ahead = is_last ? run.next : codes + most_blocks * bytes;
  Sums sums[count];
  for (std::int64_t s = 0; s < run.m; ++s) {
    const Table table(run.table + s * 256);
    for (int i = 0; i < count; ++i) {
      _mm_prefetch(ahead + i * bytes + s * scan_block_entries, _MM_HINT_T0);
      sums[i].add(table.look_up(_mm512_load_si512(codes + i * bytes + s * scan_block_entries)));
    }
  }
  for (int i = 0; i < count; ++i) {
    const auto* terms =
        reinterpret_cast<const float*>(codes + i * bytes + run.m * scan_block_entries);
    float* scores = run.scores + (b + i) * scan_block_entries;
    const __m512i odd = sums[i].odd;
    const __m512i even = _mm512_sub_epi16(sums[i].both, _mm512_slli_epi16(odd, 8));
    run.passing[b + i] =
        score(run, _mm512_castsi512_si256(even), terms, scores) |
        score(run, _mm512_castsi512_si256(odd), terms + 16, scores + 16) << 16 |
        score(run, _mm512_extracti64x4_epi64(even, 1), terms + 32, scores + 32) << 32 |
        score(run, _mm512_extracti64x4_epi64(odd, 1), terms + 48, scores + 48) << 48;
  }
}

void scan(const ScanRun& run) {
  std::int64_t b = 0;
  for (; b + most_blocks <= run.count; b += most_blocks) scan_blocks<most_blocks>(run, b);
  switch (run.count - b) {
    case 3:
      return scan_blocks<3>(run, b);
    case 2:
      return scan_blocks<2>(run, b);
    case 1:
      return scan_blocks<1>(run, b);
    default:
      return;
  }
}

}  // namespace

}  // namespace knnseq::index
