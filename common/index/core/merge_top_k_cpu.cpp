#include <algorithm>

#include "core/error.hpp"
#include "index/core/merge_top_k.hpp"

namespace knnseq::index {

TopK merge_top_k_cpu(const TopK& candidates, std::int64_t k) {
  KNNSEQ_ASSERT(k > 0 && candidates.k() % k == 0, "candidates are parts of k columns");
  const TopK merged = missing_top_k(candidates.queries(), k);
  NearestNeighbours nearest = make_nearest(k);
  for (std::int64_t query = 0; query < candidates.queries(); ++query) {
    const auto [distances, ids] = candidates.row(query);
    for (std::size_t first = 0; first < ids.size(); first += static_cast<std::size_t>(k)) {
      for (std::size_t i = first; i < first + static_cast<std::size_t>(k); ++i) {
        // What follows in this part is no nearer.
        const Neighbour neighbour{distances[i], ids[i]};
        if (neighbour.id == missing_id || !(neighbour < nearest.limit())) break;
        nearest.offer(neighbour);
      }
    }
    merged.set_row(query, nearest.take_sorted());
  }
  return merged;
}

}  // namespace knnseq::index
