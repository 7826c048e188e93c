#include "index/train/kmeans.hpp"

#include <algorithm>
#include <functional>

#include <fmt/format.h>

#include "core/hash.hpp"
#include "index/core/normalised.hpp"
#include "index/quantize/nearest_centroids.hpp"
#include "index/sample/sample_selection.hpp"
#include "index/train/two_level_assignment.hpp"

namespace knnseq::index {

namespace {

constexpr std::int64_t last_exhaustive = 2;     ///< iterations at the end
constexpr std::int64_t segment_rows = 1 << 16;  ///< assigned together

/// Iterations up to `end` that use the same rows and the same kind of search.
struct Phase {
  std::int64_t end = 0;
  std::uint64_t one_in = 1;
  bool near = false;
};

/// Calls `body` with pointers to the kept rows of consecutive blocks, about segment_rows at a time.
void for_each_segment(const SampleBlocks& sample, const Subsampling& subsampling,
                      const std::function<void(const RowPointers&)>& body) {
  std::vector<at::Tensor> blocks;
  RowPointers rows;
  for (std::size_t b = 0; b < sample.blocks.size(); ++b) {
    blocks.push_back(sample.blocks[b].to(at::kFloat).contiguous());
    const float* row = blocks.back().const_data_ptr<float>();
    for (std::int64_t i = 0; i < blocks.back().size(0); ++i, row += sample.dim) {
      if (subsampling.keeps(sample.row_number(b, i))) rows.push_back(row);
    }
    if (std::ssize(rows) < segment_rows && b + 1 < sample.blocks.size()) continue;
    body(rows);
    rows.clear();
    blocks.clear();
  }
}

/// On devices every block is assigned on its own, since fp64 sums may depend on the other rows of a
/// call; so results do not depend on which blocks a rank has.
void add_blocks(const SampleBlocks& sample, const Subsampling& subsampling,
                const CentroidScan& scan, ClusterSums& sums) {
  for (std::size_t b = 0; b < sample.blocks.size(); ++b) {
    const at::Tensor rows = kept_rows(sample, b, subsampling);
    sums.add(rows, scan.nearest(rows));
  }
}

bool looks_near(CoarseSearch search, std::int64_t k) {
  return search == CoarseSearch::near ||
         (search == CoarseSearch::automatic && k >= near_search_lists);
}

std::vector<Phase> phases(const KmeansOptions& options, std::int64_t rows, std::int64_t k,
                          bool near) {
  constexpr std::int64_t least_rows = 10;  // per centroid
  const std::int64_t all = options.iterations;
  const std::int64_t exhaustive_from = near ? std::max<std::int64_t>(all - last_exhaustive, 0) : 0;
  std::vector<Phase> result;
  const auto until = [&](std::int64_t end, std::uint64_t one_in) {
    if (static_cast<std::int64_t>(one_in) * least_rows * k > rows) one_in = 1;
    if (near) result.push_back({std::min(end, exhaustive_from), one_in, true});
    result.push_back({end, one_in, false});
  };
  if (options.growing) {
    until(all / 2, 4);
    until(all * 7 / 10, 2);
  }
  until(all, 1);
  return result;
}

}  // namespace

Clustering start_kmeans(const TrainContext& context, const SampleBlocks& sample, std::int64_t k,
                        const KmeansOptions& options) {
  at::Tensor rows = draw_rows(context.comm, sample, k, options.seed);
  if (is_inner_product(options.metric)) rows = normalised(rows);
  return {rows.to(context.device), 0, 0, 0};
}

Clustering kmeans(const TrainContext& context, const SampleBlocks& sample,
                  const KmeansOptions& options, Clustering start,
                  const AfterIteration& after_iteration) {
  Clustering state = std::move(start);
  const std::int64_t k = state.centroids.size(0);
  const bool near = context.path == gpu::ComputePath::cpu && looks_near(options.search, k);
  for (const Phase& phase : phases(options, sample.total_rows, k, near)) {
    if (state.iterations >= phase.end) continue;
    const Subsampling subsampling{core::seeded_hash(options.seed, 2), phase.one_in};
    const auto assign = [&](const at::Tensor& centroids, ClusterSums& sums) {
      const auto add = [&](const auto& scan) {
        for_each_segment(sample, subsampling,
                         [&](const RowPointers& rows) { sums.add(rows, scan.nearest(rows)); });
      };
      if (context.path == gpu::ComputePath::torch) {
        add_blocks(sample, subsampling, CentroidScan(centroids, options.metric, context.path),
                   sums);
      } else if (phase.near) {
        add(TwoLevelAssignment(context.comm, centroids, options));
      } else {
        add(CentroidScan(centroids, options.metric));
      }
    };
    state = lloyd(context,
                  {phase.end, options.seed, is_inner_product(options.metric),
                   scale_of(context, sample, subsampling), assign},
                  std::move(state), after_iteration);
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
