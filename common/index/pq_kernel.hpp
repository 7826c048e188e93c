// The inner loop of pq_assign, compiled once per instruction set. Include it in the pq_kernel_*.cpp
// files only, after their target pragma: everything here has internal linkage for that reason.
#pragma once

#include <cstdint>

namespace knnseq::index {

/// Rows that are worked on at a time.
inline constexpr int pq_chunk_rows = 128;

/// One chunk of sub-vectors and where their codes go.
struct PqChunk {
  const float* columns = nullptr;  ///< [m * dsub, pq_chunk_rows], the rows transposed
  const float* packed = nullptr;   ///< PqTables::packed
  std::int64_t m = 0;
  std::int64_t dsub = 0;
  std::uint8_t* codes = nullptr;  ///< [pq_chunk_rows, m]
};

using PqKernel = void (*)(const PqChunk&);

void pq_kernel_baseline(const PqChunk& chunk);
void pq_kernel_avx2(const PqChunk& chunk);
void pq_kernel_avx512(const PqChunk& chunk);

namespace {

/// One sub-vector of lanes · groups rows, one row a lane: the rows stay in registers while the
/// centroids pass by. fixed_dsub 0: dsub is known at run time only.
template <int lanes, int groups, int fixed_dsub>
struct PqRows {
  using Floats [[gnu::vector_size(lanes * sizeof(float))]] = float;
  using Ints [[gnu::vector_size(lanes * sizeof(std::int32_t))]] = std::int32_t;

  static Floats load(const float* from) {
    Floats value;
    __builtin_memcpy(&value, from, sizeof(value));
    return value;
  }

  static void assign(const PqChunk& chunk, std::int64_t sub_vector, int first_row) {
    const int dsub = fixed_dsub > 0 ? fixed_dsub : static_cast<int>(chunk.dsub);
    const float* columns = chunk.columns + sub_vector * dsub * pq_chunk_rows + first_row;
    const float* centroid = chunk.packed + sub_vector * 256 * (1 + dsub);
    Floats x[groups][fixed_dsub > 0 ? fixed_dsub : 1];
    Floats best[groups];
    Ints code[groups];
    for (int g = 0; g < groups; ++g) {
      for (int t = 0; t < fixed_dsub; ++t) {
        x[g][t] = load(columns + t * pq_chunk_rows + g * lanes);
      }
      best[g] = Floats{} + __builtin_inff();
      code[g] = Ints{};
    }
    for (std::int32_t j = 0; j < 256; ++j, centroid += 1 + dsub) {
      for (int g = 0; g < groups; ++g) {
        Floats distance = Floats{} + centroid[0];
        for (int t = 0; t < dsub; ++t) {
          const Floats column =
              fixed_dsub > 0 ? x[g][t] : load(columns + t * pq_chunk_rows + g * lanes);
          distance += column * centroid[1 + t];
        }
        const Ints nearer = distance < best[g];  // strictly: ties stay with the lowest code
        best[g] = nearer ? distance : best[g];
        code[g] = nearer ? Ints{} + j : code[g];
      }
    }
    for (int g = 0; g < groups; ++g) {
      for (int lane = 0; lane < lanes; ++lane) {
        chunk.codes[(first_row + g * lanes + lane) * chunk.m + sub_vector] =
            static_cast<std::uint8_t>(code[g][lane]);
      }
    }
  }
};

template <int lanes, int groups, int fixed_dsub>
void assign_chunk(const PqChunk& chunk) {
  for (std::int64_t sub_vector = 0; sub_vector < chunk.m; ++sub_vector) {
    for (int row = 0; row < pq_chunk_rows; row += lanes * groups) {
      PqRows<lanes, groups, fixed_dsub>::assign(chunk, sub_vector, row);
    }
  }
}

/// Chooses the number of row groups so that a sub-vector's rows fit the registers.
template <int lanes, int groups>
void assign_chunk_any(const PqChunk& chunk) {
  constexpr int half = groups > 1 ? groups / 2 : 1;
  switch (chunk.dsub) {
    case 1:
      return assign_chunk<lanes, groups, 1>(chunk);
    case 2:
      return assign_chunk<lanes, groups, 2>(chunk);
    case 4:
      return assign_chunk<lanes, groups, 4>(chunk);
    case 8:
      return assign_chunk<lanes, half, 8>(chunk);
    case 16:
      return assign_chunk<lanes, 1, 16>(chunk);
    default:
      return assign_chunk<lanes, groups, 0>(chunk);
  }
}

}  // namespace

}  // namespace knnseq::index
