#include "index/train/lloyd.hpp"

#include <cmath>
#include <span>
#include <utility>

#include "core/hash.hpp"
#include "index/train/split_clusters.hpp"

namespace knnseq::index {

namespace {

/// [m, k, d] of centroids [m, k, d] or [k, d].
struct Shape {
  explicit Shape(const at::Tensor& centroids)
      : groups(centroids.dim() == 3 ? centroids.size(0) : 1),
        k(centroids.size(-2)),
        d(centroids.size(-1)) {}
  std::int64_t groups;
  std::int64_t k;
  std::int64_t d;
};

/// Splits the empty clusters of every group on its own, on the host, in place of `centroids`;
/// returns how many there were.
std::int64_t split_all(at::Tensor& centroids, const at::Tensor& counts, std::uint64_t seed) {
  if (counts.min().item<std::int64_t>() > 0) return 0;
  const Shape shape(centroids);
  const at::Tensor rows = centroids.cpu();
  const at::Tensor sizes = counts.cpu();
  auto* const row = rows.mutable_data_ptr<float>();
  auto* const size = sizes.mutable_data_ptr<std::int64_t>();
  std::int64_t splits = 0;
  for (std::int64_t group = 0; group < shape.groups; ++group) {
    core::Random random(core::seeded_hash(seed, static_cast<std::uint64_t>(group)));
    splits += split_empty_clusters({row + group * shape.k * shape.d, shape.k, shape.d},
                                   std::span(size + group * shape.k, shape.k), random);
  }
  centroids = rows.to(centroids.device());
  return splits;
}

/// Every row [d] but zeros at length 1.
at::Tensor normalise(const at::Tensor& centroids) {
  const at::Tensor result = centroids.cpu();
  const std::int64_t d = centroids.size(-1);
  const core::MatrixView<float> rows{result.mutable_data_ptr<float>(), result.numel() / d, d};
  for (std::int64_t i = 0; i < rows.rows; ++i) {
    double squares = 0;
    for (const float value : rows.row(i)) squares += static_cast<double>(value) * value;
    if (squares == 0) continue;
    const double factor = 1 / std::sqrt(squares);
    for (float& value : rows.row(i)) value = static_cast<float>(value * factor);
  }
  return result.to(centroids.device());
}

}  // namespace

Clustering lloyd(const TrainContext& context, const LloydProblem& problem, Clustering start,
                 const AfterIteration& after_iteration) {
  Clustering state = std::move(start);
  const Shape shape(state.centroids);
  while (state.iterations < problem.iterations) {
    ClusterSums sums(context, problem.scale.fixed_point, shape.groups * shape.k, shape.d);
    problem.assign(state.centroids, sums);
    sums.reduce();

    const at::Tensor before = state.centroids.view({sums.clusters(), shape.d});
    const double error = problem.scale.squares - sums.explained_sum_of_squares(before);
    at::Tensor centroids = sums.means(before).view_as(state.centroids);
    state.splits =
        split_all(centroids, sums.counts(),
                  core::seeded_hash(problem.seed, static_cast<std::uint64_t>(state.iterations)));
    state.centroids = problem.spherical ? normalise(centroids) : centroids;
    state.mean_squared_error = error / static_cast<double>(problem.scale.rows);
    ++state.iterations;
    if (after_iteration) after_iteration(state);
  }
  return state;
}

}  // namespace knnseq::index
