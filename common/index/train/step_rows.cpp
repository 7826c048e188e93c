#include "index/train/step_rows.hpp"

#include <algorithm>

namespace knnseq::index {

namespace {

constexpr std::int64_t pca_points_per_dimension = 1000;  // as in faiss's PCAMatrix

}  // namespace

std::int64_t StepRows::rotated() const { return std::max({coarse, quantizer, std::int64_t{1}}); }

StepRows step_rows(const IndexSpec& spec, const TrainOptions& options, std::int64_t rows) {
  const bool all = options.max_points_per_centroid == 0;
  const auto at_most = [&](std::int64_t points) { return all ? rows : std::min(rows, points); };
  const auto of_centroids = [&](std::int64_t centroids) {
    return at_most(centroids * options.max_points_per_centroid);
  };
  StepRows result;
  if (spec.transform == Transform::opq) result.transform = of_centroids(spec.quantizer_centroids());
  if (spec.transform == Transform::pca) {
    result.transform = at_most(pca_points_per_dimension * spec.d_in);
  }
  if (spec.has_lists()) result.coarse = of_centroids(spec.nlist);
  if (spec.has_quantizer()) result.quantizer = of_centroids(spec.centroids());
  return result;
}

}  // namespace knnseq::index
