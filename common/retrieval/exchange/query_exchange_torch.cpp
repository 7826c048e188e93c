#include <algorithm>
#include <array>

#include "core/error.hpp"
#include "retrieval/exchange/query_exchange.hpp"

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

GatheredQueries gather_queries(comm::Communicator& comm, gpu::Collectives& collectives,
                               const PreparedQueries& mine, std::int64_t status) {
  GatheredQueries gathered;
  const std::array<std::int64_t, 2> header = {status, mine.rotated.size(0)};
  const auto headers = comm.all_gather(std::span<const std::int64_t>(header));
  for (int rank = 0; rank < comm.size(); ++rank) {
    gathered.statuses.push_back(headers.of(rank)[0]);
    gathered.counts.push_back(headers.of(rank)[1]);
  }
  gathered.all = mine;
  const std::int64_t most = std::ranges::max(gathered.counts);
  if (most == 0) return gathered;
  // All ranks give equally many rows; what fills up a rank's own is left out again.
  const at::Tensor own = pack(mine);
  const at::Tensor padded = at::zeros({most, own.size(1)}, own.options());
  padded.narrow(0, 0, own.size(0)).copy_(own);
  const at::Tensor all = collectives.all_gather(padded);
  std::vector<at::Tensor> parts;
  for (std::size_t rank = 0; rank < gathered.counts.size(); ++rank) {
    parts.push_back(all[static_cast<std::int64_t>(rank)].narrow(0, 0, gathered.counts[rank]));
  }
  gathered.all = unpack(at::cat(parts), mine.rotated.size(1), mine.probes.lists.size(1));
  return gathered;
}

index::TopK return_results(gpu::Collectives& collectives, const index::TopK& found,
                           std::span<const std::int64_t> counts) {
  const std::int64_t k = found.k();
  const std::int64_t queries = counts[collectives.rank()];
  if (std::ranges::max(counts) == 0) {
    return index::missing_top_k(0, collectives.size() * k, found.ids.device());
  }
  const at::Tensor packed = at::cat(
      {found.distances.contiguous().view(at::kInt), found.ids.contiguous().view(at::kInt)}, 1);
  const at::Tensor rows = collectives.all_to_all(packed, counts).rows;
  // [ranks, queries, 3k] → [queries, ranks · k]
  const at::Tensor by_query = rows.view({collectives.size(), queries, 3 * k}).transpose(0, 1);
  const auto columns = [&](std::int64_t first, std::int64_t count, at::ScalarType type) {
    return by_query.narrow(2, first, count)
        .clone(at::MemoryFormat::Contiguous)  // contiguous() would keep an empty tensor's strides
        .view(type)
        .view({queries, collectives.size() * k});
  };
  return {columns(0, k, at::kFloat), columns(k, 2 * k, at::kLong)};
}

}  // namespace knnseq::retrieval
