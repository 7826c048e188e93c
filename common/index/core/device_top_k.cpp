#include "index/core/device_top_k.hpp"

#include <algorithm>

#include "core/entry_id.hpp"
#include "core/error.hpp"

namespace knnseq::index {

namespace {

/// Whether some row's last entry is as near as its k-th.
bool cut_in_tie(const DeviceTopK& found, std::int64_t k) {
  const std::int64_t last = found.ids.size(1) - 1;
  return found.distances.select(1, k - 1)
      .eq(found.distances.select(1, last))
      .logical_and(found.ids.select(1, last).ne(missing_id))
      .any()
      .item<bool>();
}

}  // namespace

DeviceTopK best_of(const DeviceTopK& candidates, std::int64_t k) {
  // A missing one has the greatest number and an infinite distance.
  const at::Tensor numbers = candidates.ids.bitwise_and(core::max_entry_number);
  const at::Tensor by_number = numbers.argsort(/*stable=*/true, 1);
  // Adding 0 makes 0 of −0: both count as the same distance.
  const at::Tensor distances = candidates.distances.gather(1, by_number) + 0.0F;
  const at::Tensor by_distance = distances.argsort(/*stable=*/true, 1).narrow(1, 0, k);
  const at::Tensor order = by_number.gather(1, by_distance);
  return {candidates.distances.gather(1, order), candidates.ids.gather(1, order)};
}

DeviceTopK certain_device_top_k(std::int64_t k, std::int64_t most,
                                const std::function<DeviceTopK(std::int64_t)>& scan) {
  KNNSEQ_ASSERT(k > 0 && k <= most, "more neighbours than can be asked for");
  for (std::int64_t asked = k + std::max<std::int64_t>(8, k / 2);; asked *= 2) {
    asked = std::min(asked, most);
    const DeviceTopK found = scan(asked);
    if (asked == most || !cut_in_tie(found, k)) return best_of(found, k);
  }
}

TopK to_host(const DeviceTopK& found) {
  const at::Tensor distances = found.distances.to(at::kCPU).contiguous();
  const at::Tensor ids = found.ids.to(at::kCPU).contiguous();
  const auto* from_distances = distances.const_data_ptr<float>();
  const auto* from_ids = ids.const_data_ptr<std::int64_t>();
  return {ids.size(0),
          ids.size(1),
          {from_distances, from_distances + distances.numel()},
          {from_ids, from_ids + ids.numel()}};
}

}  // namespace knnseq::index
