#include <algorithm>
#include <limits>

#include "core/error.hpp"
#include "index/core/distance_keys.hpp"
#include "index/quantize/nearest_centroids.hpp"
#include "index/quantize/score_tiles.hpp"

namespace knnseq::index {

namespace {

constexpr std::int64_t most_rows = 1 << 12;
constexpr std::int64_t bounds_together = 1 << 25;
constexpr std::int64_t gathered_floats = 1 << 23;  // of centroids, measured at a time

}  // namespace

BoundedNearest::BoundedNearest(const at::Tensor& centroids, Metric metric, at::ScalarType dtype)
    : centroids_(centroids), metric_(metric), bounds_(centroids, metric, dtype) {}

at::Tensor BoundedNearest::nearest(const at::Tensor& x, std::int64_t* measured) const {
  KNNSEQ_ASSERT(x.dim() == 2 && x.scalar_type() == at::kFloat && x.size(1) == centroids_.size(1),
                "vectors are fp32 [n, d]");
  KNNSEQ_ASSERT(x.device() == centroids_.device(), "vectors and centroids on two devices");
  const std::int64_t together =
      std::clamp<std::int64_t>(bounds_together / bounds_.groups(), 1, most_rows);
  at::Tensor result = at::empty({x.size(0)}, x.options().dtype(at::kInt));
  for_each_row_tile(x, together, [&](std::int64_t first, const at::Tensor& rows) {
    const std::int64_t n = rows.size(0);
    at::Tensor bounds = bounds_.lowest(rows);
    const at::Tensor likeliest = at::argmin(bounds, 1, /*keepdim=*/true);
    at::Tensor best = at::full({n}, no_distance_key, likeliest.options());
    measure(rows, at::arange(n, best.options()), likeliest.squeeze(1), best);

    bounds.scatter_(1, likeliest, std::numeric_limits<float>::infinity());
    const at::Tensor limits = bounds_.limits(rows, distances_of_keys(best)).unsqueeze(1);
    // "Not above" instead of "below": NaN must not rule anything out.
    const at::Tensor left = at::nonzero(at::gt(bounds, limits).logical_not_());
    measure(rows, left.select(1, 0), left.select(1, 1), best);
    result.narrow(0, first, n).copy_(positions_of_keys(best));
    if (measured != nullptr) *measured += (n + left.size(0)) * ScoreBounds::group;
  });
  return result;
}

void BoundedNearest::measure(const at::Tensor& x, const at::Tensor& rows, const at::Tensor& groups,
                             at::Tensor& best) const {
  const std::int64_t last = centroids_.size(0) - 1;
  const at::Tensor members = at::arange(ScoreBounds::group, groups.options());
  const std::int64_t together =
      std::max<std::int64_t>(gathered_floats / (ScoreBounds::group * x.size(1)), 1);
  for_each_row_tile(rows, together, [&](std::int64_t first, const at::Tensor& some) {
    const at::Tensor group = groups.narrow(0, first, some.size(0)).unsqueeze(1);
    const at::Tensor lists = (group * ScoreBounds::group + members).clamp_max_(last);
    const at::Tensor distances =
        torch_distances(at::index_select(x, 0, some), centroids_, lists, metric_);
    best.scatter_reduce_(0, some, at::amin(all_distance_keys(distances, lists), 1), "amin");
  });
}

}  // namespace knnseq::index
