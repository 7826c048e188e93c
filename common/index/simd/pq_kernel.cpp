#include "index/simd/pq_kernel.hpp"

#include "index/simd/add_rounded.hpp"
#include "index/simd/lanes.hpp"

namespace knnseq::index {

namespace {

/// One sub-vector of lanes · groups rows, one row a lane: the rows stay in registers while the
/// centroids pass by. fixed_dsub 0: dsub is known at run time only.
template <int groups, int fixed_dsub>
struct PqRows {
  /// columns [dsub, pq_chunk_rows], from the first of these rows on.
  static void assign(const PqChunk& chunk, const float* columns, const float* centroid,
                     std::int32_t* codes) {
    const int dsub = fixed_dsub > 0 ? fixed_dsub : static_cast<int>(chunk.dsub);
    Floats x[groups][fixed_dsub > 0 ? fixed_dsub : 1];  // NOLINT(bugprone-branch-clone): if it is 1
    Floats best[groups];
    Ints code[groups];
    for (int g = 0; g < groups; ++g) {
      for (int t = 0; t < fixed_dsub; ++t) {
        x[g][t] = load(columns + t * pq_chunk_rows + g * lanes);
      }
      best[g] = Floats{} + __builtin_inff();
      code[g] = Ints{};
    }
    const auto count = static_cast<std::int32_t>(chunk.centroids);
    for (std::int32_t j = 0; j < count; ++j, centroid += 1 + dsub) {
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
      __builtin_memcpy(codes + g * lanes, &code[g], sizeof(Ints));
    }
  }
};

/// Columns of the chunk's rows from `first` on, transposed; rows beyond the last are zeros.
inline void transpose_tile(const PqChunk& chunk, std::int64_t first, std::int64_t columns,
                           float* tile) {
  for (std::int64_t i = 0; i < chunk.count; ++i) {
    const float* row = chunk.rows + i * chunk.m * chunk.dsub + first;
    for (std::int64_t j = 0; j < columns; ++j) tile[j * pq_chunk_rows + i] = row[j];
  }
  for (std::int64_t j = 0; j < columns; ++j) {
    for (std::int64_t i = chunk.count; i < pq_chunk_rows; ++i) tile[j * pq_chunk_rows + i] = 0;
  }
}

/// Adds one sub-vector of every row to the sums of its centroid.
template <int fixed_dsub>
void add_sub_vectors(const PqChunk& chunk, std::int64_t sub_vector, const std::int32_t* codes) {
  const std::int64_t dsub = fixed_dsub > 0 ? fixed_dsub : chunk.dsub;
  const float* from = chunk.rows + sub_vector * dsub;
  std::int64_t* sums = chunk.sums + sub_vector * chunk.centroids * dsub;
  std::int64_t* members = chunk.members + sub_vector * chunk.centroids;
  for (std::int64_t i = 0; i < chunk.count; ++i, from += chunk.m * dsub) {
    ++members[codes[i]];
    add_rounded<fixed_dsub>(from, dsub, chunk.scale, sums + codes[i] * dsub);
  }
}

template <int groups, int fixed_dsub>
void assign_chunk(const PqChunk& chunk) {
  const std::int64_t dsub = fixed_dsub > 0 ? fixed_dsub : chunk.dsub;
  const std::int64_t together = pq_tile_columns(dsub) / dsub;
  std::int32_t codes[pq_chunk_rows];
  for (std::int64_t first = 0; first < chunk.m; first += together) {
    const std::int64_t end = first + together < chunk.m ? first + together : chunk.m;
    transpose_tile(chunk, first * dsub, (end - first) * dsub, chunk.tile);
    for (std::int64_t s = first; s < end; ++s) {
      const float* columns = chunk.tile + (s - first) * dsub * pq_chunk_rows;
      const float* centroids = chunk.packed + s * chunk.centroids * (1 + dsub);
      for (int row = 0; row < pq_chunk_rows && row < chunk.count; row += lanes * groups) {
        PqRows<groups, fixed_dsub>::assign(chunk, columns + row, centroids, codes + row);
      }
      if (chunk.codes != nullptr) {
        for (std::int64_t i = 0; i < chunk.count; ++i) {
          chunk.codes[i * chunk.m + s] = static_cast<std::uint8_t>(codes[i]);
        }
      }
      if (chunk.sums != nullptr) {
        add_sub_vectors<fixed_dsub>(chunk, s, codes);
      }
    }
  }
}

/// Chooses the number of row groups so that a sub-vector's rows fit the registers.
template <int groups>
void assign_chunk_any(const PqChunk& chunk) {
  constexpr int half = groups > 1 ? groups / 2 : 1;
  switch (chunk.dsub) {
    case 1:
      return assign_chunk<groups, 1>(chunk);
    case 2:
      return assign_chunk<groups, 2>(chunk);
    case 4:
      return assign_chunk<groups, 4>(chunk);
    case 8:
      return assign_chunk<half, 8>(chunk);
    case 16:
      return assign_chunk<1, 16>(chunk);
    default:
      return assign_chunk<groups, 0>(chunk);
  }
}

}  // namespace

template <>
PqKernel pq_kernel<core::compiled_for>() {
  return assign_chunk_any < lanes == 16 ? 4 : 2 > ;
}

}  // namespace knnseq::index
