// Sums of table bytes by byte permutations of 128 entries. Part of scan_kernel.cpp.
#pragma once

// GCC 12's own header initialises what it leaves undefined with itself.
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>

#include "index/simd/scan_kernel.hpp"

namespace knnseq::index {

namespace {

constexpr bool near_tables = false;

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
  void twice() {
    both = _mm512_slli_epi16(both, 1);
    odd = _mm512_slli_epi16(odd, 1);
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

/// How far ahead of its use memory is fetched, in rows of 64 codes. Blocks lie one after the other,
/// and are gone through one by one: streams of several at a time keep the processor's own fetching
/// from running ahead.
constexpr std::int64_t rows_ahead = 128;

void scan(const ScanRun& run) {
  const std::int64_t bytes = scan_block_bytes(run.m);
  const std::int64_t blocks_ahead = (rows_ahead + run.m - 1) / run.m;
  for (std::int64_t b = 0; b < run.count; ++b) {
    const std::uint8_t* codes = run.blocks + b * bytes;
    const bool in_next = b + blocks_ahead >= run.count && run.next != nullptr;
    const std::uint8_t* ahead =
        in_next ? run.next + (b + blocks_ahead - run.count) * bytes : codes + blocks_ahead * bytes;
    Sums sums;
    const auto add = [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        _mm_prefetch(ahead + row * scan_block_entries, _MM_HINT_T0);
        sums.add(Table(run.table + row * 256)
                     .look_up(_mm512_load_si512(codes + row * scan_block_entries)));
      }
    };
    add_by_weight(run, add, [&] { sums.twice(); });
    const auto* terms = reinterpret_cast<const float*>(codes + run.m * scan_block_entries);
    float* scores = run.scores + b * scan_block_entries;
    const __m512i odd = sums.odd;
    const __m512i even = _mm512_sub_epi16(sums.both, _mm512_slli_epi16(odd, 8));
    run.passing[b] = score(run, _mm512_castsi512_si256(even), terms, scores) |
                     score(run, _mm512_castsi512_si256(odd), terms + 16, scores + 16) << 16 |
                     score(run, _mm512_extracti64x4_epi64(even, 1), terms + 32, scores + 32) << 32 |
                     score(run, _mm512_extracti64x4_epi64(odd, 1), terms + 48, scores + 48) << 48;
  }
}

}  // namespace

}  // namespace knnseq::index
