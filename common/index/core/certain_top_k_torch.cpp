#include "core/error.hpp"
#include "index/core/certain_top_k.hpp"
#include "index/core/merge_top_k.hpp"

namespace knnseq::index {

namespace {

/// Whether some row's last entry is as near as its k-th.
bool cut_in_tie(const TopK& found, std::int64_t k) {
  const std::int64_t last = found.k() - 1;
  return found.distances.select(1, k - 1)
      .eq(found.distances.select(1, last))
      .logical_and(found.ids.select(1, last).ne(missing_id))
      .any()
      .item<bool>();
}

}  // namespace

TopK certain_top_k_torch(std::int64_t k, std::int64_t most,
                         const std::function<TopK(std::int64_t)>& scan) {
  KNNSEQ_ASSERT(k > 0 && k <= most, "more neighbours than can be asked for");
  for (std::int64_t asked = k + std::max<std::int64_t>(8, k / 2);; asked *= 2) {
    asked = std::min(asked, most);
    const TopK found = scan(asked);
    if (asked == most || !cut_in_tie(found, k)) return merge_top_k_torch(found, k);
  }
}

}  // namespace knnseq::index
