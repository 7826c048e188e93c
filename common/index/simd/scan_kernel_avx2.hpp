// Sums of table bytes by byte shuffles of 16 entries. Part of scan_kernel.cpp.
#pragma once

#include <utility>

#include <immintrin.h>

#include "index/simd/scan_kernel.hpp"

namespace knnseq::index {

namespace {

constexpr bool near_tables = true;

/// 16 bytes of a table, for both halves of a register.
__m256i load_part(const std::uint8_t* table) {
  return _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(table)));
}

/// 32 codes, and their lower halves as positions in a part of 16 of the table.
struct Codes {
  __m256i low;
  __m256i bits[4];  ///< bit 4 + i of each code as its byte's highest

  explicit Codes(const std::uint8_t* from) : low(), bits() {
    bits[3] = _mm256_load_si256(reinterpret_cast<const __m256i*>(from));
    for (int i = 2; i >= 0; --i) bits[i] = _mm256_add_epi8(bits[i + 1], bits[i + 1]);
    low = _mm256_and_si256(bits[3], _mm256_set1_epi8(15));
  }

  /// Looks up in 2^level parts of 16 bytes, by the lower 4 + level bits.
  template <int level>
  __m256i look_up(const std::uint8_t* table) const {
    if constexpr (level == 0) {
      return _mm256_shuffle_epi8(load_part(table), low);
    } else {
      const __m256i first = look_up<level - 1>(table);
      const __m256i second = look_up<level - 1>(table + (16 << (level - 1)));
      return _mm256_blendv_epi8(first, second, bits[level - 1]);
    }
  }

  /// Looks up the codes' groups in a near table.
  __m256i look_up_near(const __m256i (&parts)[4]) const {
    const __m256i first = _mm256_blendv_epi8(_mm256_shuffle_epi8(parts[0], low),
                                             _mm256_shuffle_epi8(parts[1], low), bits[2]);
    const __m256i second = _mm256_blendv_epi8(_mm256_shuffle_epi8(parts[2], low),
                                              _mm256_shuffle_epi8(parts[3], low), bits[2]);
    return _mm256_blendv_epi8(first, second, bits[3]);
  }
};

/// Table bytes of 32 entries, summed over sub-vectors.
struct Sums {
  __m256i both =
      _mm256_setzero_si256();  ///< of even bytes and 256 times those of odd ones, mod 2^16
  __m256i odd = _mm256_setzero_si256();  ///< uint16

  void add(__m256i bytes) {
    both = _mm256_add_epi16(both, bytes);
    odd = _mm256_add_epi16(odd, _mm256_srli_epi16(bytes, 8));
  }
  void twice() {
    both = _mm256_slli_epi16(both, 1);
    odd = _mm256_slli_epi16(odd, 1);
  }
  __m256i even() const { return _mm256_sub_epi16(both, _mm256_slli_epi16(odd, 8)); }
};

Sums sum_up(const ScanRun& run, const std::uint8_t* codes) {
  Sums sums;
  const auto add = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      sums.add(Codes(codes + row * scan_block_entries).look_up<4>(run.table + row * 256));
    }
  };
  add_by_weight(run, add, [&] { sums.twice(); });
  return sums;
}

/// Of the near table, for both halves of a block: at most half of its bytes' sums. Those of two
/// rows fit into a byte, as none exceeds 127.
std::pair<Sums, Sums> sum_up_near(const ScanRun& run, const std::uint8_t* codes) {
  Sums first, second;
  const auto look_up = [&](std::int64_t row) {
    const std::uint8_t* table = run.near_table + row * scan_near_groups;
    const __m256i parts[4] = {load_part(table), load_part(table + 16), load_part(table + 32),
                              load_part(table + 48)};
    return std::pair(Codes(codes + row * scan_block_entries).look_up_near(parts),
                     Codes(codes + row * scan_block_entries + 32).look_up_near(parts));
  };
  const auto add = [&](std::int64_t begin, std::int64_t end) {
    std::int64_t row = begin;
    for (; row + 2 <= end; row += 2) {
      const auto [a, b] = look_up(row);
      const auto [c, d] = look_up(row + 1);
      first.add(_mm256_add_epi8(a, c));
      second.add(_mm256_add_epi8(b, d));
    }
    if (row < end) {
      const auto [a, b] = look_up(row);
      first.add(a);
      second.add(b);
    }
  };
  add_by_weight(run, add, [&] {
    first.twice();
    second.twice();
  });
  return {first, second};
}

/// Scores of 8 entries; bits of those that pass. scale: of the sums.
std::uint64_t score(const ScanRun& run, float scale, __m128i sums, const float* terms,
                    float* scores) {
  const __m256 values =
      _mm256_fmadd_ps(_mm256_set1_ps(scale), _mm256_cvtepi32_ps(_mm256_cvtepu16_epi32(sums)),
                      _mm256_load_ps(terms));
  _mm256_storeu_ps(scores, values);
  const __m256 passing = _mm256_cmp_ps(values, _mm256_set1_ps(run.limit), _CMP_LT_OQ);
  return static_cast<std::uint64_t>(_mm256_movemask_ps(passing));
}

/// Scores of 32 entries; bits of those that pass.
std::uint64_t score(const ScanRun& run, float scale, const Sums& sums, const float* terms,
                    float* scores) {
  return score(run, scale, _mm256_castsi256_si128(sums.even()), terms, scores) |
         score(run, scale, _mm256_extracti128_si256(sums.even(), 1), terms + 8, scores + 8) << 8 |
         score(run, scale, _mm256_castsi256_si128(sums.odd), terms + 16, scores + 16) << 16 |
         score(run, scale, _mm256_extracti128_si256(sums.odd, 1), terms + 24, scores + 24) << 24;
}

/// The score of one entry. codes: its first byte.
float score_alone(const ScanRun& run, const std::uint8_t* codes, float term) {
  std::uint32_t even = 0;  // two sums, so that additions need not wait for each other
  std::uint32_t odd = 0;
  const auto byte_of = [&](std::int64_t row) {
    return std::uint32_t{run.table[row * 256 + codes[row * scan_block_entries]]};
  };
  const auto add = [&](std::int64_t begin, std::int64_t end) {
    std::int64_t row = begin;
    for (; row + 2 <= end; row += 2) {
      even += byte_of(row);
      odd += byte_of(row + 1);
    }
    if (row < end) even += byte_of(row);
  };
  add_by_weight(run, add, [&] {
    even *= 2;
    odd *= 2;
  });
  return term + run.scale * static_cast<float>(even + odd);
}

/// So many entries of 32 are scored alone sooner than all together.
constexpr int most_alone = 8;

/// 32 entries of a block, of which those count that are in `near`.
std::uint64_t scan_half(const ScanRun& run, std::int64_t b, int first, std::uint32_t near) {
  const std::uint8_t* block = run.blocks + b * scan_block_bytes(run.m);
  const float* terms = reinterpret_cast<const float*>(block + run.m * scan_block_entries) + first;
  float* scores = run.scores + b * scan_block_entries + first;
  if (__builtin_popcount(near) > most_alone) {
    return score(run, run.scale, sum_up(run, block + first), terms, scores);
  }
  std::uint64_t passing = 0;
  for (; near != 0; near &= near - 1) {
    const int i = __builtin_ctz(near);
    scores[i] = score_alone(run, block + scan_byte_of(first + i), terms[i]);
    passing |= std::uint64_t{scores[i] < run.limit} << i;
  }
  return passing;
}

/// Entries of a block whose bound from the near table, which takes 4 look-ups a sub-vector where
/// the table takes 16, is below the limit. Few are.
std::uint64_t find_near(const ScanRun& run, std::int64_t b) {
  const std::uint8_t* block = run.blocks + b * scan_block_bytes(run.m);
  const auto [first, second] = sum_up_near(run, block);
  const float* terms = reinterpret_cast<const float*>(block + run.m * scan_block_entries);
  float* scores = run.scores + b * scan_block_entries;
  const float scale = 2 * run.scale;
  return score(run, scale, first, terms, scores) |
         score(run, scale, second, terms + 32, scores + 32) << 32;
}

void scan(const ScanRun& run) {
  const bool bounded = run.near_table != nullptr && run.limit < __builtin_inff();
  for (std::int64_t b = 0; b < run.count; ++b) {
    const std::uint64_t near = bounded ? find_near(run, b) : ~std::uint64_t{0};
    run.passing[b] = scan_half(run, b, 0, static_cast<std::uint32_t>(near)) |
                     scan_half(run, b, 32, static_cast<std::uint32_t>(near >> 32)) << 32;
  }
}

}  // namespace

}  // namespace knnseq::index
