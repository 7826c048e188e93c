#include "retrieval/mixing/entry_weights.hpp"

#include <algorithm>
#include <cmath>

#include "core/entry_id.hpp"
#include "core/error.hpp"

namespace knnseq::retrieval {

EntryWeights::EntryWeights(const std::vector<WeightedEntries>& entries) {
  const auto is_one = [](const WeightedEntries& some) { return some.weight == 1; };
  if (std::ranges::all_of(entries, is_one)) return;
  KNNSEQ_ASSERT(
      entries.front().first == 0 && std::ranges::is_sorted(entries, {}, &WeightedEntries::first),
      "entries from 0 on, in their order");
  std::vector<std::int64_t> starts;
  std::vector<float> log_weights;
  for (const auto& some : entries) {
    KNNSEQ_ASSERT(some.weight > 0 && std::isfinite(some.weight), "a positive weight");
    if (!log_weights.empty()) starts.push_back(some.first);
    log_weights.push_back(static_cast<float>(std::log(some.weight)));
  }
  starts_ = at::tensor(starts, at::kLong);
  log_weights_ = at::tensor(log_weights, at::kFloat);
}

at::Tensor EntryWeights::of(const index::TopK& found) const {
  if (equal()) return {};
  const auto device = found.ids.device();
  const at::Tensor numbers = found.ids.bitwise_and(core::max_entry_number);
  const at::Tensor places =
      at::bucketize(numbers, starts_.to(device), /*out_int32=*/false, /*right=*/true);
  return log_weights_.to(device).index_select(0, places.reshape(-1)).reshape(places.sizes());
}

}  // namespace knnseq::retrieval
