#include "index/train/split_clusters.hpp"

#include <algorithm>
#include <numeric>

#include "core/error.hpp"

namespace knnseq::index {

std::int64_t split_empty_clusters(core::MatrixView<float> centroids, std::span<std::int64_t> counts,
                                  core::Random& random) {
  constexpr float nudge = 1.0F / 1024;
  const auto k = static_cast<std::int64_t>(counts.size());
  const std::int64_t points = std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
  KNNSEQ_ASSERT(points >= k, "fewer points than clusters");
  const double spare = static_cast<double>(std::max<std::int64_t>(points - k, 1));
  std::int64_t splits = 0;
  for (std::int64_t empty = 0; empty < k; ++empty) {
    if (counts[empty] != 0) continue;
    std::int64_t full = 0;
    const auto chance = [&] { return (static_cast<double>(counts[full]) - 1) / spare; };
    while (random.uniform() >= chance()) full = (full + 1) % k;
    const auto from = centroids.row(full);
    const auto to = centroids.row(empty);
    for (std::size_t j = 0; j < to.size(); ++j) {
      const float sign = j % 2 == 0 ? nudge : -nudge;
      to[j] = from[j] * (1 + sign);
      from[j] *= 1 - sign;
    }
    auto& shared = counts[full];
    counts[empty] = shared / 2;
    shared -= shared / 2;
    ++splits;
  }
  return splits;
}

}  // namespace knnseq::index
