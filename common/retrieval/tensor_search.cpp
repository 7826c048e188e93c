#include "retrieval/tensor_search.hpp"

namespace knnseq::retrieval {

namespace {

const index::ListIndexTorch* device_lists(const index::LocalIndex& index) {
  return dynamic_cast<const index::ListIndexTorch*>(&index);
}

}  // namespace

bool is_on_device(const index::LocalIndex& index) { return device_lists(index) != nullptr; }

index::DeviceTopK search_tensors(const index::LocalIndex& index, const PreparedQueries& queries,
                                 std::int64_t k) {
  if (const auto* lists = device_lists(index)) {
    return lists->search_on_device(queries.rotated, queries.probes, k);
  }
  const auto device = queries.rotated.device();
  const index::TopK found = index.search(
      queries.rotated.cpu(), {queries.probes.lists.cpu(), queries.probes.distances.cpu()}, k);
  return {at::tensor(found.distances).view({found.queries, found.k}).to(device),
          at::tensor(found.ids, at::kLong).view({found.queries, found.k}).to(device)};
}

}  // namespace knnseq::retrieval
