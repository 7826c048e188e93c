#include "index/quantize/pq_assign.hpp"

#include <algorithm>
#include <mutex>

#include "core/types.hpp"
#include "index/core/parallel.hpp"
#include "index/sample/cluster_sums.hpp"
#include "index/simd/simd_kernels.hpp"

namespace knnseq::index {

namespace {

struct ChunkPlace {
  const PqBlock* block;
  std::int64_t first_row;
};

std::vector<ChunkPlace> cut(std::span<const PqBlock> blocks, const PqTables& tables) {
  std::vector<ChunkPlace> chunks;
  for (const PqBlock& block : blocks) {
    KNNSEQ_ASSERT(block.x.columns == tables.m * tables.dsub &&
                      (block.codes.data == nullptr ||
                       (block.codes.columns == tables.m && block.codes.rows == block.x.rows)),
                  "shapes of vectors, centroids and codes differ");
    for (std::int64_t row = 0; row < block.x.rows; row += pq_chunk_rows) {
      chunks.push_back({&block, row});
    }
  }
  return chunks;
}

PqChunk chunk_at(const ChunkPlace& place, const PqTables& tables, float* tile) {
  const PqBlock& block = *place.block;
  PqChunk chunk;
  chunk.rows = block.x.data + place.first_row * block.x.columns;
  chunk.packed = tables.packed.data();
  chunk.count = std::min<std::int64_t>(pq_chunk_rows, block.x.rows - place.first_row);
  chunk.m = tables.m;
  chunk.dsub = tables.dsub;
  chunk.centroids = tables.centroids;
  if (block.codes.data != nullptr) chunk.codes = block.codes.data + place.first_row * tables.m;
  chunk.tile = tile;
  return chunk;
}

std::vector<float> tile_for(const PqTables& tables) {
  return std::vector<float>(static_cast<std::size_t>(pq_tile_columns(tables.dsub) * pq_chunk_rows));
}

}  // namespace

PqTables make_pq_tables(core::MatrixView<const float> centroids, std::int64_t m) {
  KNNSEQ_ASSERT(m > 0 && centroids.rows % m == 0 && centroids.rows / m <= 256,
                "PQ centroids of another shape");
  PqTables tables{m, centroids.columns, centroids.rows / m, {}};
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
  const PqBlock block{x, codes};
  const auto chunks = cut({&block, 1}, tables);
  parallel_ranges(std::ssize(chunks), [&](core::Range range) {
    auto tile = tile_for(tables);
    for (std::int64_t c = range.begin; c < range.end; ++c) {
      simd_kernels().pq(chunk_at(chunks[static_cast<std::size_t>(c)], tables, tile.data()));
    }
  });
}

void pq_assign_and_sum(std::span<const PqBlock> blocks, const PqTables& tables, ClusterSums& sums) {
  const auto chunks = cut(blocks, tables);
  std::mutex merging;
  parallel_ranges(std::ssize(chunks), [&](core::Range range) {
    auto tile = tile_for(tables);
    // A thread's own sums; merged in any order, since they are integers.
    std::vector<std::int64_t> own_sums(static_cast<std::size_t>(sums.sums().numel()), 0);
    std::vector<std::int64_t> members(static_cast<std::size_t>(sums.clusters()), 0);
    for (std::int64_t c = range.begin; c < range.end; ++c) {
      PqChunk chunk = chunk_at(chunks[static_cast<std::size_t>(c)], tables, tile.data());
      chunk.sums = own_sums.data();
      chunk.members = members.data();
      chunk.scale = sums.fixed_point().scale();
      simd_kernels().pq(chunk);
    }
    const std::scoped_lock lock(merging);
    sums.merge(own_sums, members);
  });
}

}  // namespace knnseq::index
