#include "index/pq_assign.hpp"

#include <algorithm>

#include "core/types.hpp"
#include "index/parallel.hpp"
#include "index/pq_kernel.hpp"

namespace knnseq::index {

namespace {

PqKernel kernel_of_this_cpu() {
#if defined(__x86_64__) && !defined(__clang__)
  if (__builtin_cpu_supports("avx512f")) return pq_kernel_avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return pq_kernel_avx2;
#endif
  return pq_kernel_baseline;
}

/// Some rows of x as columns; columns beyond them keep their zeros.
void transpose_rows(core::MatrixView<const float> x, core::Range rows, float* columns) {
  for (std::int64_t i = rows.begin; i < rows.end; ++i) {
    const float* row = x.row(i).data();
    float* column = columns + (i - rows.begin);
    for (std::int64_t j = 0; j < x.columns; ++j) column[j * pq_chunk_rows] = row[j];
  }
}

}  // namespace

PqTables make_pq_tables(core::MatrixView<const float> centroids, std::int64_t m) {
  KNNSEQ_ASSERT(centroids.rows == m * 256, "PQ centroids of another shape");
  PqTables tables{m, centroids.columns, {}};
  tables.packed.reserve(static_cast<std::size_t>(centroids.rows * (1 + centroids.columns)));
  for (std::int64_t i = 0; i < centroids.rows; ++i) {
    float norm = 0;
    for (const float value : centroids.row(i)) norm += value * value;
    tables.packed.push_back(norm);
    for (const float value : centroids.row(i)) tables.packed.push_back(-2 * value);
  }
  return tables;
}

void pq_assign(core::MatrixView<const float> x, const PqTables& tables,
               core::MatrixView<std::uint8_t> codes) {
  KNNSEQ_ASSERT(
      x.columns == tables.m * tables.dsub && codes.columns == tables.m && codes.rows == x.rows,
      "shapes of vectors, centroids and codes differ");
  const PqKernel kernel = kernel_of_this_cpu();
  const std::int64_t chunks = core::ceil_div(x.rows, pq_chunk_rows);
  parallel_for(chunks, [&](std::int64_t c) {
    const core::Range rows{c * pq_chunk_rows, std::min(x.rows, (c + 1) * pq_chunk_rows)};
    std::vector<float> columns(static_cast<std::size_t>(x.columns * pq_chunk_rows));
    std::vector<std::uint8_t> chunk_codes(static_cast<std::size_t>(tables.m * pq_chunk_rows));
    transpose_rows(x, rows, columns.data());
    kernel({columns.data(), tables.packed.data(), tables.m, tables.dsub, chunk_codes.data()});
    std::copy_n(chunk_codes.data(), rows.size() * tables.m, codes.data + rows.begin * tables.m);
  });
}

}  // namespace knnseq::index
