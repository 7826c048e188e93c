#include "index/core/merge_top_k.hpp"

namespace knnseq::index {

TopK merge_top_k_torch(const TopK& candidates, std::int64_t k) {
  // A missing one has the greatest number and an infinite distance.
  const at::Tensor numbers = candidates.ids.bitwise_and(core::max_entry_number);
  const at::Tensor by_number = numbers.argsort(/*stable=*/true, 1);
  // Adding 0 makes 0 of −0: both count as the same distance.
  const at::Tensor distances = candidates.distances.gather(1, by_number) + 0.0F;
  const at::Tensor by_distance = distances.argsort(/*stable=*/true, 1).narrow(1, 0, k);
  const at::Tensor order = by_number.gather(1, by_distance);
  return {candidates.distances.gather(1, order), candidates.ids.gather(1, order)};
}

}  // namespace knnseq::index
