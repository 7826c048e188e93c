#include "index/device_nearest.hpp"

#include "index/score_tiles.hpp"

namespace knnseq::index {

at::Tensor device_nearest(const at::Tensor& x, const at::Tensor& centroids,
                          const at::Tensor& norms) {
  constexpr std::int64_t tile_rows = 1 << 12;
  at::Tensor result = at::empty({x.size(0)}, x.options().dtype(at::kInt));
  for_each_row_tile(x, tile_rows, [&](std::int64_t first_row, const at::Tensor& rows) {
    at::Tensor best;
    at::Tensor nearest;
    for_each_score_tile(rows, centroids, norms, [&](std::int64_t first, const at::Tensor& scores) {
      const auto [lowest, place] = at::min(scores, 1);
      const at::Tensor number = place + first;
      if (!best.defined()) {
        best = lowest;
        nearest = number;
        return;
      }
      const at::Tensor nearer = lowest < best;  // strictly: ties stay with the lowest
      best = at::where(nearer, lowest, best);
      nearest = at::where(nearer, number, nearest);
    });
    result.narrow(0, first_row, rows.size(0)).copy_(nearest);
  });
  return result;
}

}  // namespace knnseq::index
