#include "index/train/two_level_assignment.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "core/hash.hpp"
#include "core/types.hpp"

namespace knnseq::index {

namespace {

constexpr std::int64_t near_share = 8;       ///< a row is compared with one centroid in this many
constexpr std::int64_t cell_iterations = 4;  ///< of k-means over the centroids
constexpr std::int64_t cells_together = 16;  ///< in one matrix product, whatever the ranks

at::Tensor cell_centroids(comm::Communicator& comm, const at::Tensor& centroids,
                          const KmeansOptions& options) {
  const auto cells =
      static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(centroids.size(0)))));
  const auto sample = deal_sample(centroids, SampleBlocks{}.block_rows, comm.rank(), comm.size());
  const KmeansOptions coarser{cell_iterations, core::seeded_hash(options.seed, 1), options.metric};
  return kmeans(comm, sample, coarser, start_kmeans(comm, sample, cells, coarser)).centroids;
}

/// The `count` lowest scores of a row, as ascending centroid numbers; ties by number.
std::vector<std::int32_t> lowest(const ScoreTile& tile, std::int64_t row, std::int64_t count) {
  std::vector<std::pair<float, std::int32_t>> scores;
  for (std::int64_t c = 0; c < tile.products.columns; ++c) {
    scores.emplace_back(tile.score(row, c), static_cast<std::int32_t>(c));
  }
  std::nth_element(scores.begin(), scores.begin() + (count - 1), scores.end());
  std::vector<std::int32_t> list;
  for (std::int64_t i = 0; i < count; ++i) list.push_back(scores[i].second);
  return list;
}

/// For each cell the k / near_share centroids nearest to it: int32 [cells, k / near_share].
/// Collective.
std::vector<std::int32_t> nearest_to_cells(comm::Communicator& comm, const at::Tensor& cells,
                                           const CentroidScan& centroids) {
  const std::int64_t k = centroids.centroids().size(0);
  const std::int64_t count = std::max<std::int64_t>(k / near_share, 1);
  const at::Tensor transposed = centroids.centroids().t();
  const std::int64_t groups = core::ceil_div(cells.size(0), cells_together);
  std::vector<std::int32_t> mine;
  const auto part = core::even_part(groups, comm.rank(), comm.size());
  for (std::int64_t group = part.begin; group < part.end; ++group) {
    const std::int64_t first = group * cells_together;
    const std::int64_t rows = std::min(cells_together, cells.size(0) - first);
    const at::Tensor products = at::mm(cells.narrow(0, first, rows), transposed);
    const ScoreTile tile{{products.const_data_ptr<float>(), rows, k}, centroids.scored().norms};
    for (std::int64_t row = 0; row < rows; ++row) {
      const auto list = lowest(tile, row, count);
      mine.insert(mine.end(), list.begin(), list.end());
    }
  }
  return comm.all_gather(std::span<const std::int32_t>(mine)).values;
}

}  // namespace

TwoLevelAssignment::TwoLevelAssignment(comm::Communicator& comm, const at::Tensor& centroids,
                                       const KmeansOptions& options)
    : centroids_(centroids, options.metric),
      cells_(cell_centroids(comm, centroids, options), options.metric),
      lists_(cells_.centroids().size(0)) {
  const auto near = nearest_to_cells(comm, cells_.centroids(), centroids_);
  const std::size_t count = near.size() / lists_.size();
  for (std::size_t cell = 0; cell < lists_.size(); ++cell) {
    const auto begin = near.begin() + static_cast<std::ptrdiff_t>(cell * count);
    lists_[cell].assign(begin, begin + static_cast<std::ptrdiff_t>(count));
  }
  const at::Tensor cell_of = cells_.nearest(centroids_.centroids());
  for (std::int64_t c = 0; c < cell_of.size(0); ++c) {
    const auto cell = cell_of.const_data_ptr<std::int32_t>()[c];
    lists_[cell].push_back(static_cast<std::int32_t>(c));
  }
  for (auto& list : lists_) {
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
  }
}

std::vector<std::int32_t> TwoLevelAssignment::nearest(const RowPointers& rows) const {
  const auto cell_of = cells_.nearest(rows);
  std::vector<std::int32_t> by_cell(rows.size());  // row numbers, those of a cell together
  std::iota(by_cell.begin(), by_cell.end(), 0);
  std::stable_sort(by_cell.begin(), by_cell.end(),
                   [&](std::int32_t a, std::int32_t b) { return cell_of[a] < cell_of[b]; });
  std::vector<NearestJob> jobs;
  for (std::size_t begin = 0; begin < by_cell.size();) {
    const auto cell = static_cast<std::size_t>(cell_of[by_cell[begin]]);
    std::size_t end = begin;
    while (end < by_cell.size() && std::cmp_equal(cell_of[by_cell[end]], cell)) {
      ++end;
    }
    jobs.push_back({std::span(by_cell).subspan(begin, end - begin), lists_[cell]});
    begin = end;
  }
  std::vector<std::int32_t> result(rows.size());
  find_nearest(rows, centroids_.scored(), jobs, result.data());
  return result;
}

}  // namespace knnseq::index
