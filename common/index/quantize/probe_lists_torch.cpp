#include <algorithm>
#include <vector>

#include "core/error.hpp"
#include "index/quantize/probe_lists.hpp"
#include "index/quantize/score_tiles.hpp"

namespace knnseq::index {

namespace {

constexpr std::int64_t tile_rows = 1 << 12;
constexpr std::int64_t measured_floats = 1 << 24;  // of centroids, measured at a time

/// Of each row the `count` lowest scores: lists int64 [rows, count], ascending.
at::Tensor shortlist(const at::Tensor& rows, const at::Tensor& centroids, const at::Tensor& norms,
                     std::int64_t count) {
  const auto lowest_of = [](const at::Tensor& scores, std::int64_t few) {
    return at::topk(scores, few, 1, /*largest=*/false, /*sorted=*/false);
  };
  std::vector<at::Tensor> scores;
  std::vector<at::Tensor> lists;
  for_each_score_tile(rows, centroids, norms, [&](std::int64_t first, const at::Tensor& tile) {
    const auto [lowest, places] = lowest_of(tile, std::min(count, tile.size(1)));
    scores.push_back(lowest);
    lists.push_back(first == 0 ? places : places + first);
  });
  at::Tensor chosen = lists.front();
  if (lists.size() > 1) {
    const auto places = std::get<1>(lowest_of(at::cat(scores, 1), count));
    chosen = at::gather(at::cat(lists, 1), 1, places);
  }
  return std::get<0>(at::sort(chosen, 1));
}

}  // namespace

Probes probe_lists_torch(const CentroidScan& scan, const at::Tensor& queries, std::int64_t width,
                         Metric metric) {
  const at::Tensor& centroids = scan.centroids();
  const std::int64_t k = centroids.size(0);
  KNNSEQ_ASSERT(width > 0 && width <= k, "more probes than lists");
  // The matrix product rounds; a few more candidates than needed are measured again.
  const std::int64_t count = std::min(k, width + std::max<std::int64_t>(8, width / 4));
  const std::int64_t together =
      std::clamp<std::int64_t>(measured_floats / (count * queries.size(1)), 1, tile_rows);
  Probes probes{at::empty({queries.size(0), width}, queries.options().dtype(at::kLong)),
                at::empty({queries.size(0), width}, queries.options())};
  for_each_row_tile(queries, together, [&](std::int64_t first, const at::Tensor& rows) {
    const at::Tensor lists = shortlist(rows, centroids, scan.norms(), count);
    // stable: equal distances stay in the order of the lists
    const auto [distances, places] = at::sort(torch_distances(rows, centroids, lists, metric),
                                              /*stable=*/true, /*dim=*/1, /*descending=*/false);
    probes.distances.narrow(0, first, rows.size(0)).copy_(distances.narrow(1, 0, width));
    probes.lists.narrow(0, first, rows.size(0))
        .copy_(at::gather(lists, 1, places).narrow(1, 0, width));
  });
  return probes;
}

}  // namespace knnseq::index
