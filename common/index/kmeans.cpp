#include "index/kmeans.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/hash.hpp"
#include "index/centroid_scan.hpp"
#include "index/cluster_sums.hpp"
#include "index/sample_scale.hpp"
#include "index/sample_selection.hpp"
#include "index/split_clusters.hpp"

namespace knnseq::index {

Clustering start_kmeans(comm::Communicator& comm, const SampleBlocks& sample, std::int64_t k,
                        std::uint64_t seed) {
  return {draw_rows(comm, sample, k, seed), 0, 0, 0};
}

Clustering kmeans(comm::Communicator& comm, const SampleBlocks& sample,
                  const KmeansOptions& options, Clustering start,
                  const AfterIteration& after_iteration) {
  Clustering state = std::move(start);
  if (state.iterations >= options.iterations) return state;
  const std::int64_t k = state.centroids.size(0);
  const std::int64_t d = sample.dim;
  const SampleScale scale = scale_of(comm, sample);
  while (state.iterations < options.iterations) {
    const CentroidScan scan(state.centroids);
    ClusterSums sums(scale.fixed_point, k, d);
    for (const at::Tensor& stored : sample.blocks) {
      const at::Tensor block = stored.to(at::kFloat).contiguous();
      const at::Tensor nearest = scan.nearest(block);
      sums.add({block.const_data_ptr<float>(), block.size(0), d},
               {nearest.const_data_ptr<std::int32_t>(), static_cast<std::size_t>(nearest.numel())});
    }
    sums.reduce(comm);

    at::Tensor centroids = state.centroids.clone();
    const core::MatrixView<float> view{centroids.mutable_data_ptr<float>(), k, d};
    const double error = scale.squares - sums.explained({view.data, k, d});
    sums.write_means(view);
    core::Random random(
        core::seeded_hash(options.seed, static_cast<std::uint64_t>(state.iterations)));
    state.splits = split_empty_clusters(view, sums.counts(), random);
    state.centroids = centroids;
    state.mean_squared_error = error / static_cast<double>(sample.total_rows);
    ++state.iterations;
    if (after_iteration) after_iteration(state);
  }
  return state;
}

std::string few_points_warning(const std::string& what, std::int64_t points, std::int64_t k) {
  constexpr std::int64_t wanted = 39;  // as in faiss's ClusteringParameters
  if (points >= wanted * k) return "";
  return fmt::format("{}: {} points for {} centroids; at least {} are advisable", what, points, k,
                     wanted * k);
}

}  // namespace knnseq::index
