#include "retrieval/exchange/tensor_exchange.hpp"

#include <algorithm>
#include <vector>

#include "core/error.hpp"

namespace knnseq::retrieval {

namespace {

/// A rotated query, its probes' distances and lists, side by side as numbers of 32 bits: [q, width
/// + 2·nprobe].
at::Tensor pack(const PreparedQueries& queries) {
  return at::cat(
      {queries.rotated.contiguous().view(at::kInt),
       queries.probes.distances.contiguous().view(at::kInt), queries.probes.lists.to(at::kInt)},
      1);
}

PreparedQueries unpack(const at::Tensor& packed, std::int64_t width, std::int64_t nprobe) {
  const auto floats = [&](std::int64_t first, std::int64_t columns) {
    return packed.narrow(1, first, columns).contiguous().view(at::kFloat);
  };
  return {floats(0, width),
          {packed.narrow(1, width + nprobe, nprobe).to(at::kLong), floats(width, nprobe)}};
}

}  // namespace

PreparedQueries gather_queries(gpu::Collectives& collectives, const PreparedQueries& mine,
                               std::span<const std::int64_t> counts) {
  KNNSEQ_ASSERT(std::ssize(counts) == collectives.size(), "one count a rank");
  const std::int64_t most = std::ranges::max(counts);
  if (most == 0) return mine;
  // All ranks give equally many rows; what is behind a rank's own is left out again.
  const at::Tensor own = pack(mine);
  const at::Tensor padded = at::zeros({most, own.size(1)}, own.options());
  padded.narrow(0, 0, own.size(0)).copy_(own);
  const at::Tensor all = collectives.all_gather(padded);
  std::vector<at::Tensor> parts;
  for (std::size_t rank = 0; rank < counts.size(); ++rank) {
    parts.push_back(all[static_cast<std::int64_t>(rank)].narrow(0, 0, counts[rank]));
  }
  return unpack(at::cat(parts), mine.rotated.size(1), mine.probes.lists.size(1));
}

index::DeviceTopK return_and_merge(gpu::Collectives& collectives, const index::DeviceTopK& found,
                                   std::span<const std::int64_t> counts) {
  if (std::ranges::max(counts) == 0) return found;
  const std::int64_t k = found.ids.size(1);
  const at::Tensor packed = at::cat(
      {found.distances.contiguous().view(at::kInt), found.ids.contiguous().view(at::kInt)}, 1);
  const at::Tensor rows = collectives.all_to_all(packed, counts).rows;
  const std::int64_t queries = counts[static_cast<std::size_t>(collectives.rank())];
  // [ranks, queries, 3k] → [queries, ranks · k]
  const at::Tensor by_query = rows.view({collectives.size(), queries, 3 * k}).transpose(0, 1);
  const auto columns = [&](std::int64_t first, std::int64_t count, at::ScalarType type) {
    return by_query.narrow(2, first, count)
        .clone(at::MemoryFormat::Contiguous)  // contiguous() would keep an empty tensor's strides
        .view(type)
        .view({queries, collectives.size() * k});
  };
  return index::best_of({columns(0, k, at::kFloat), columns(k, 2 * k, at::kLong)}, k);
}

}  // namespace knnseq::retrieval
