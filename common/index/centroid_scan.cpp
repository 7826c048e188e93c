#include "index/centroid_scan.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

#include "core/error.hpp"
#include "index/parallel.hpp"

namespace knnseq::index {

namespace {

// A tile of products stays in the second-level cache between the product and its use.
constexpr std::int64_t tile_rows = 1024;
constexpr std::int64_t tile_centroids = 512;

struct Best {
  float score = std::numeric_limits<float>::infinity();
  std::int32_t centroid = 0;
};

/// The best of one row of a tile; `best` holds that of lower centroids.
void update_best(const ScoreTile& tile, std::int64_t row, Best& best) {
  constexpr int lanes = 8;
  using Floats [[gnu::vector_size(lanes * sizeof(float))]] = float;
  using Ints [[gnu::vector_size(lanes * sizeof(std::int32_t))]] = std::int32_t;
  Floats scores = Floats{} + std::numeric_limits<float>::infinity();
  Ints centroids = Ints{} + std::numeric_limits<std::int32_t>::max();
  Ints current = {0, 1, 2, 3, 4, 5, 6, 7};
  const std::int64_t columns = tile.products.columns;
  const float* products = tile.products.row(row).data();
  std::int64_t j = 0;
  for (; j + lanes <= columns; j += lanes, current += lanes) {
    Floats norm;
    Floats product;
    std::memcpy(&norm, tile.norms + j, sizeof(norm));
    std::memcpy(&product, products + j, sizeof(product));
    const Floats score = norm - 2 * product;
    const Ints nearer = score < scores;
    scores = nearer ? score : scores;
    centroids = nearer ? current : centroids;
  }
  Best tile_best{best.score, std::numeric_limits<std::int32_t>::max()};
  const auto offer = [&](float score, std::int32_t centroid) {
    if (score < tile_best.score || (score == tile_best.score && centroid < tile_best.centroid)) {
      tile_best = {score, centroid};
    }
  };
  for (int lane = 0; lane < lanes; ++lane) offer(scores[lane], centroids[lane]);
  for (; j < columns; ++j) offer(tile.score(row, j), static_cast<std::int32_t>(j));
  if (tile_best.score < best.score) {
    best = {tile_best.score, tile_best.centroid + static_cast<std::int32_t>(tile.first_centroid)};
  }
}

}  // namespace

CentroidScan::CentroidScan(const at::Tensor& centroids)
    : centroids_(centroids.contiguous()), norms_(at::sum(centroids_ * centroids_, {1})) {
  KNNSEQ_ASSERT(centroids.dim() == 2 && centroids.scalar_type() == at::kFloat,
                "centroids are fp32 [k, d]");
}

void CentroidScan::visit_tiles(const at::Tensor& x,
                               const std::function<void(const ScoreTile&)>& visit) const {
  KNNSEQ_ASSERT(x.dim() == 2 && x.scalar_type() == at::kFloat && x.size(1) == centroids_.size(1),
                "vectors are fp32 [n, d]");
  const at::Tensor rows = x.contiguous();
  const std::int64_t n = rows.size(0);
  const std::int64_t k = centroids_.size(0);
  at::Tensor buffer = at::empty({std::min(n, tile_rows) * std::min(k, tile_centroids)}, at::kFloat);
  for (std::int64_t row = 0; row < n; row += tile_rows) {
    const std::int64_t row_count = std::min(tile_rows, n - row);
    const at::Tensor row_tile = rows.narrow(0, row, row_count);
    for (std::int64_t first = 0; first < k; first += tile_centroids) {
      const std::int64_t count = std::min(tile_centroids, k - first);
      at::Tensor products = buffer.narrow(0, 0, row_count * count).view({row_count, count});
      at::mm_out(products, row_tile, centroids_.narrow(0, first, count).t());
      visit({row,
             first,
             {products.const_data_ptr<float>(), row_count, count},
             norms_.const_data_ptr<float>() + first});
    }
  }
}

at::Tensor CentroidScan::nearest(const at::Tensor& x) const {
  const std::int64_t n = x.size(0);
  at::Tensor result = at::empty({n}, at::kInt);
  auto* const result_data = result.mutable_data_ptr<std::int32_t>();
  std::vector<Best> best(static_cast<std::size_t>(n));
  visit_tiles(x, [&](const ScoreTile& tile) {
    parallel_for(tile.products.rows, [&](std::int64_t i) {
      update_best(tile, i, best[static_cast<std::size_t>(tile.first_row + i)]);
    });
  });
  for (std::int64_t i = 0; i < n; ++i) result_data[i] = best[static_cast<std::size_t>(i)].centroid;
  return result;
}

}  // namespace knnseq::index
