#include "retrieval/exchange/result_exchange.hpp"

#include <algorithm>
#include <cstring>

#include "core/error.hpp"
#include "core/types.hpp"
#include "retrieval/exchange/merge_top_k.hpp"

namespace knnseq::retrieval {

namespace {

/// Partial results of some queries as they travel: all distances, then all ids.
std::vector<std::byte> pack_results(const index::TopK& found, core::Range queries) {
  const auto begin = static_cast<std::size_t>(queries.begin * found.k);
  const auto count = static_cast<std::size_t>(queries.size() * found.k);
  const auto distances = std::as_bytes(std::span(found.distances).subspan(begin, count));
  const auto ids = std::as_bytes(std::span(found.ids).subspan(begin, count));
  std::vector<std::byte> bytes(distances.begin(), distances.end());
  bytes.insert(bytes.end(), ids.begin(), ids.end());
  return bytes;
}

index::TopK unpack_results(std::span<const std::byte> bytes, std::int64_t queries, std::int64_t k) {
  const auto count = static_cast<std::size_t>(queries * k);
  index::TopK found{queries, k, std::vector<float>(count), std::vector<std::int64_t>(count)};
  const std::size_t distance_bytes = count * sizeof(float);
  KNNSEQ_ASSERT(bytes.size() == distance_bytes + count * sizeof(std::int64_t),
                "message of results has another size");
  if (count > 0) {
    std::memcpy(found.distances.data(), bytes.data(), distance_bytes);
    std::memcpy(found.ids.data(), bytes.data() + distance_bytes, count * sizeof(std::int64_t));
  }
  return found;
}

}  // namespace

std::vector<index::TopK> return_results(comm::Communicator& comm, const index::TopK& found,
                                        std::span<const std::int64_t> counts) {
  std::vector<std::byte> outgoing;
  std::vector<std::int64_t> sizes;
  core::Range rows;
  for (const auto count : counts) {
    rows = {rows.end, rows.end + count};
    const auto bytes = pack_results(found, rows);
    sizes.push_back(static_cast<std::int64_t>(bytes.size()));
    outgoing.insert(outgoing.end(), bytes.begin(), bytes.end());
  }
  const auto incoming = comm.all_to_all_bytes(outgoing, sizes);
  std::vector<index::TopK> partial;
  for (int rank = 0; rank < comm.size(); ++rank) {
    partial.push_back(
        unpack_results(incoming.of(rank), counts[static_cast<std::size_t>(comm.rank())], found.k));
  }
  return partial;
}

index::TopK merge_results(const std::vector<index::TopK>& partial) {
  index::TopK merged = partial.front();
  const auto k = static_cast<std::size_t>(merged.k);
  std::vector<NeighbourList> lists(partial.size());
  for (std::size_t row = 0; row < merged.ids.size(); row += k) {
    std::transform(partial.begin(), partial.end(), lists.begin(), [&](const index::TopK& part) {
      return NeighbourList{std::span(part.distances).subspan(row, k),
                           std::span(part.ids).subspan(row, k)};
    });
    merge_top_k(lists, std::span(merged.distances).subspan(row, k),
                std::span(merged.ids).subspan(row, k));
  }
  return merged;
}

}  // namespace knnseq::retrieval
