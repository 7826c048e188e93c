#include "index/quantize/centroid_scan.hpp"

#include <algorithm>
#include <numeric>

#include "core/error.hpp"

namespace knnseq::index {

namespace {

// A tile of products stays in the second-level cache between the product and its use.
constexpr std::int64_t tile_rows = 1024;
constexpr std::int64_t tile_centroids = 512;

}  // namespace

CentroidScan::CentroidScan(const at::Tensor& centroids, Metric metric, gpu::ComputePath path)
    : centroids_(centroids.contiguous()),
      norms_(is_inner_product(metric) ? at::zeros({centroids.size(0)}, centroids.options())
                                      : at::sum(centroids_ * centroids_, {1})),
      path_(path),
      all_(static_cast<std::size_t>(centroids.size(0))) {
  KNNSEQ_ASSERT(centroids.dim() == 2 && centroids.scalar_type() == at::kFloat,
                "centroids are fp32 [k, d]");
  if (path == gpu::ComputePath::torch) by_products_.emplace(centroids_, metric);
  std::iota(all_.begin(), all_.end(), 0);
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
  KNNSEQ_ASSERT(x.dim() == 2 && x.size(1) == centroids_.size(1), "vectors are [n, d]");
  if (by_products_) return by_products_->nearest(x);
  const at::Tensor dense = x.contiguous();
  RowPointers rows;
  append_rows(dense, rows);
  const auto found = nearest(rows);
  at::Tensor result = at::empty({x.size(0)}, at::kInt);
  std::copy(found.begin(), found.end(), result.mutable_data_ptr<std::int32_t>());
  return result;
}

std::vector<std::int32_t> CentroidScan::nearest(const RowPointers& rows) const {
  KNNSEQ_ASSERT(path_ == gpu::ComputePath::cpu, "rows behind pointers are the host's");
  std::vector<std::int32_t> numbers(rows.size());
  std::iota(numbers.begin(), numbers.end(), 0);
  std::vector<std::int32_t> result(rows.size());
  const NearestJob job{numbers, all_};
  find_nearest(rows, scored(), {&job, 1}, result.data());
  return result;
}

ScoredCentroids CentroidScan::scored() const {
  KNNSEQ_ASSERT(centroids_.is_cpu(), "centroids behind pointers are the host's");
  return {centroids_.const_data_ptr<float>(), norms_.const_data_ptr<float>(), centroids_.size(1)};
}

}  // namespace knnseq::index
