#include "index/lloyd.hpp"

#include <cmath>
#include <utility>

#include "core/hash.hpp"
#include "index/split_clusters.hpp"

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

/// Splits the empty clusters of every group on its own; returns how many there were.
std::int64_t split_all(core::MatrixView<float> centroids, std::span<std::int64_t> counts,
                       const Shape& shape, std::uint64_t seed) {
  std::int64_t splits = 0;
  for (std::int64_t group = 0; group < shape.groups; ++group) {
    core::Random random(core::seeded_hash(seed, static_cast<std::uint64_t>(group)));
    splits += split_empty_clusters({centroids.data + group * shape.k * shape.d, shape.k, shape.d},
                                   counts.subspan(static_cast<std::size_t>(group * shape.k),
                                                  static_cast<std::size_t>(shape.k)),
                                   random);
  }
  return splits;
}

/// Brings every row but zeros to length 1.
void normalise(core::MatrixView<float> rows) {
  for (std::int64_t i = 0; i < rows.rows; ++i) {
    double squares = 0;
    for (const float value : rows.row(i)) squares += static_cast<double>(value) * value;
    if (squares == 0) continue;
    const double factor = 1 / std::sqrt(squares);
    for (float& value : rows.row(i)) value = static_cast<float>(value * factor);
  }
}

}  // namespace

Clustering lloyd(comm::Communicator& comm, const LloydProblem& problem, Clustering start,
                 const AfterIteration& after_iteration) {
  Clustering state = std::move(start);
  const Shape shape(state.centroids);
  const std::int64_t clusters = shape.groups * shape.k;
  while (state.iterations < problem.iterations) {
    ClusterSums sums(problem.scale.fixed_point, clusters, shape.d);
    problem.assign(state.centroids, sums);
    sums.reduce(comm);

    at::Tensor centroids = state.centroids.clone();
    const core::MatrixView<float> view{centroids.mutable_data_ptr<float>(), clusters, shape.d};
    const double error = problem.scale.squares - sums.explained({view.data, clusters, shape.d});
    sums.write_means(view);
    state.splits =
        split_all(view, sums.counts(), shape,
                  core::seeded_hash(problem.seed, static_cast<std::uint64_t>(state.iterations)));
    if (problem.spherical) normalise(view);
    state.centroids = centroids;
    state.mean_squared_error = error / static_cast<double>(problem.scale.rows);
    ++state.iterations;
    if (after_iteration) after_iteration(state);
  }
  return state;
}

}  // namespace knnseq::index
