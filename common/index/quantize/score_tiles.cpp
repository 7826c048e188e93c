#include "index/quantize/score_tiles.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace knnseq::index {

void for_each_row_tile(const at::Tensor& x, std::int64_t together, const RowTile& body) {
  for (std::int64_t first = 0; first < x.size(0); first += together) {
    body(first, x.narrow(0, first, std::min(together, x.size(0) - first)));
  }
}

void for_each_score_tile(const at::Tensor& rows, const at::Tensor& centroids,
                         const at::Tensor& norms, const ScoreTileVisitor& visit) {
  constexpr std::int64_t tile_centroids = 1 << 14;
  KNNSEQ_ASSERT(rows.dim() == 2 && rows.scalar_type() == at::kFloat &&
                    rows.size(1) == centroids.size(1) && norms.size(0) == centroids.size(0),
                "vectors are fp32 [n, d]");
  KNNSEQ_ASSERT(rows.device() == centroids.device(), "vectors and centroids on two devices");
  for (std::int64_t first = 0; first < centroids.size(0); first += tile_centroids) {
    const std::int64_t count = std::min(tile_centroids, centroids.size(0) - first);
    visit(first, at::addmm(norms.narrow(0, first, count), rows,
                           centroids.narrow(0, first, count).t(), /*beta=*/1, /*alpha=*/-2));
  }
}

at::Tensor torch_distances(const at::Tensor& rows, const at::Tensor& centroids,
                           const at::Tensor& lists, Metric metric) {
  const at::Tensor chosen =
      at::index_select(centroids, 0, lists.flatten()).view({rows.size(0), lists.size(1), -1});
  const at::Tensor vectors = rows.unsqueeze(1).to(at::kDouble);
  if (is_inner_product(metric)) return (vectors * chosen).sum(-1).neg_().to(at::kFloat);
  return (vectors - chosen).square_().sum(-1).to(at::kFloat);
}

}  // namespace knnseq::index
