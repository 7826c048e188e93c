#include <algorithm>
#include <mutex>

#include "core/types.hpp"
#include "index/core/parallel.hpp"
#include "index/quantize/pq_codes.hpp"
#include "index/sample/cluster_sums.hpp"
#include "index/simd/simd_kernels.hpp"

namespace knnseq::index {

namespace {

/// Some rows and where their codes go.
struct Block {
  const float* x = nullptr;  ///< [rows, m · dsub]
  std::int64_t rows = 0;
  std::uint8_t* codes = nullptr;  ///< [rows, m], or null
};

Block block_of(const PqTables& tables, const at::Tensor& x, const at::Tensor& codes) {
  KNNSEQ_ASSERT(x.dim() == 2 && x.is_contiguous() && x.size(1) == tables.m * tables.dsub,
                "shapes of vectors and centroids differ");
  if (!codes.defined()) return {x.const_data_ptr<float>(), x.size(0), nullptr};
  KNNSEQ_ASSERT(codes.dim() == 2 && codes.is_contiguous() && codes.size(0) == x.size(0) &&
                    codes.size(1) == tables.m,
                "shapes of vectors and codes differ");
  return {x.const_data_ptr<float>(), x.size(0), codes.mutable_data_ptr<std::uint8_t>()};
}

/// pq_chunk_rows rows of the blocks, or what is left of one; not the tile.
std::vector<PqChunk> cut_chunks(std::span<const Block> blocks, const PqTables& tables) {
  std::vector<PqChunk> chunks;
  for (const Block& block : blocks) {
    for (std::int64_t row = 0; row < block.rows; row += pq_chunk_rows) {
      PqChunk chunk;
      chunk.rows = block.x + row * tables.m * tables.dsub;
      chunk.packed = tables.packed.data();
      chunk.count = std::min<std::int64_t>(pq_chunk_rows, block.rows - row);
      chunk.m = tables.m;
      chunk.dsub = tables.dsub;
      chunk.centroids = tables.centroids;
      if (block.codes != nullptr) chunk.codes = block.codes + row * tables.m;
      chunks.push_back(chunk);
    }
  }
  return chunks;
}

std::vector<float> tile_for(const PqTables& tables) {
  return std::vector<float>(pq_tile_columns(tables.dsub) * pq_chunk_rows);
}

}  // namespace

PqTables make_pq_tables(const at::Tensor& centroids) {
  KNNSEQ_ASSERT(centroids.dim() == 3 && centroids.size(1) <= 256,
                "PQ centroids are [m, at most 256, dsub]");
  const at::Tensor dense = centroids.cpu().contiguous();
  PqTables tables{dense.size(0), dense.size(2), dense.size(1), {}};
  tables.packed.reserve(tables.m * tables.centroids * (1 + tables.dsub));
  const float* centroid = dense.const_data_ptr<float>();
  for (std::int64_t i = 0; i < tables.m * tables.centroids; ++i, centroid += tables.dsub) {
    const std::span values(centroid, tables.dsub);
    float norm = 0;
    for (const float value : values) norm += value * value;
    tables.packed.push_back(norm);
    for (const float value : values) tables.packed.push_back(-2 * value);
  }
  return tables;
}

void ProductQuantizer::encode_cpu(const at::Tensor& x, const at::Tensor& codes) const {
  const Block block = block_of(tables_, x, codes);
  auto chunks = cut_chunks({&block, 1}, tables_);
  parallel_ranges(std::ssize(chunks), [&](core::Range range) {
    auto tile = tile_for(tables_);
    for (std::int64_t c = range.begin; c < range.end; ++c) {
      PqChunk& chunk = chunks[c];
      chunk.tile = tile.data();
      simd_kernels().pq(chunk);
    }
  });
}

void ProductQuantizer::encode_and_sum_cpu(std::span<const at::Tensor> blocks, ClusterSums& sums,
                                          const std::vector<at::Tensor>* codes) const {
  std::vector<Block> parts;
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    parts.push_back(block_of(tables_, blocks[b], codes == nullptr ? at::Tensor() : (*codes)[b]));
  }
  auto chunks = cut_chunks(parts, tables_);
  std::mutex merging;
  parallel_ranges(std::ssize(chunks), [&](core::Range range) {
    auto tile = tile_for(tables_);
    // A thread's own sums; merged in any order, since they are integers.
    std::vector<std::int64_t> own_sums(sums.sums().numel(), 0);
    std::vector<std::int64_t> members(sums.clusters(), 0);
    for (std::int64_t c = range.begin; c < range.end; ++c) {
      PqChunk& chunk = chunks[c];
      chunk.tile = tile.data();
      chunk.sums = own_sums.data();
      chunk.members = members.data();
      chunk.scale = sums.fixed_point().scale();
      simd_kernels().pq(chunk);
    }
    const std::scoped_lock lock(merging);
    sums.merge(own_sums, members);
  });
}

at::Tensor pq_decode_cpu(const at::Tensor& codes, const at::Tensor& centroids) {
  const at::Tensor dense = centroids.contiguous();
  const std::int64_t m = dense.size(0);
  const std::int64_t count = dense.size(1);
  const std::int64_t dsub = dense.size(2);
  const at::Tensor dense_codes = codes.contiguous();
  at::Tensor result = at::empty({codes.size(0), m * dsub}, at::kFloat);
  const float* from = dense.const_data_ptr<float>();
  const auto* code = dense_codes.const_data_ptr<std::uint8_t>();
  float* to = result.mutable_data_ptr<float>();
  parallel_for(codes.size(0), [&](std::int64_t i) {
    for (std::int64_t s = 0; s < m; ++s) {
      std::copy_n(from + (s * count + code[i * m + s]) * dsub, dsub, to + (i * m + s) * dsub);
    }
  });
  return result;
}

}  // namespace knnseq::index
