// Sums of table bytes by byte shuffles of 16 entries. Part of scan_kernel.cpp.
#pragma once

#include <immintrin.h>

#include "index/simd/scan_kernel.hpp"

namespace knnseq::index {

namespace {

/// 32 codes, and their lower halves as positions in a part of 16 of the table.
struct Codes {
  __m256i low;
  __m256i bits[4];  ///< bit 4 + i of each code as its byte's highest

  explicit Codes(const std::uint8_t* from) : low(), bits() {
    const __m256i codes = _mm256_load_si256(reinterpret_cast<const __m256i*>(from));
    low = _mm256_and_si256(codes, _mm256_set1_epi8(15));
    bits[0] = _mm256_slli_epi16(codes, 3);
    bits[1] = _mm256_slli_epi16(codes, 2);
    bits[2] = _mm256_slli_epi16(codes, 1);
    bits[3] = codes;
  }

  /// Looks up in 2^level parts of 16 bytes, by the lower 4 + level bits.
  template <int level>
  __m256i look_up(const std::uint8_t* table) const {
    if constexpr (level == 0) {
      const __m128i part = _mm_load_si128(reinterpret_cast<const __m128i*>(table));
      return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(part), low);
    } else {
      const __m256i first = look_up<level - 1>(table);
      const __m256i second = look_up<level - 1>(table + (16 << (level - 1)));
      return _mm256_blendv_epi8(first, second, bits[level - 1]);
    }
  }
};

/// Scores of 8 entries; bits of those that pass.
std::uint64_t score(const ScanRun& run, __m128i sums, const float* terms, float* scores) {
  const __m256 values =
      _mm256_fmadd_ps(_mm256_set1_ps(run.scale), _mm256_cvtepi32_ps(_mm256_cvtepu16_epi32(sums)),
                      _mm256_load_ps(terms));
  _mm256_storeu_ps(scores, values);
  const __m256 passing = _mm256_cmp_ps(values, _mm256_set1_ps(run.limit), _CMP_LT_OQ);
  return static_cast<std::uint64_t>(_mm256_movemask_ps(passing));
}

/// 32 entries of a block.
std::uint64_t scan_half(const ScanRun& run, std::int64_t b, int first) {
  const std::uint8_t* block = run.blocks + b * scan_block_bytes(run.m);
  float* scores = run.scores + b * scan_block_entries + first;
  __m256i both = _mm256_setzero_si256();  // the even bytes and 256 times the odd ones, mod 2^16
  __m256i odd = _mm256_setzero_si256();
  for (std::int64_t s = 0; s < run.m; ++s) {
    const Codes codes(block + s * scan_block_entries + first);
    const __m256i bytes = codes.look_up<4>(run.table + s * 256);
    both = _mm256_add_epi16(both, bytes);
    odd = _mm256_add_epi16(odd, _mm256_srli_epi16(bytes, 8));
  }
  const __m256i even = _mm256_sub_epi16(both, _mm256_slli_epi16(odd, 8));
  const float* terms = reinterpret_cast<const float*>(block + run.m * scan_block_entries) + first;
  return score(run, _mm256_castsi256_si128(even), terms, scores) |
         score(run, _mm256_extracti128_si256(even, 1), terms + 8, scores + 8) << 8 |
         score(run, _mm256_castsi256_si128(odd), terms + 16, scores + 16) << 16 |
         score(run, _mm256_extracti128_si256(odd, 1), terms + 24, scores + 24) << 24;
}

void scan(const ScanRun& run) {
  for (std::int64_t b = 0; b < run.count; ++b) {
    run.passing[b] = scan_half(run, b, 0) | scan_half(run, b, 32) << 32;
  }
}

}  // namespace

}  // namespace knnseq::index
