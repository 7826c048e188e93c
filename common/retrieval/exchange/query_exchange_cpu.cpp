#include <cstddef>
#include <cstring>
#include <numeric>
#include <utility>

#include "core/error.hpp"
#include "retrieval/exchange/query_exchange.hpp"

namespace knnseq::retrieval {

namespace {

using Bytes = std::vector<std::byte>;

struct MessageHeader {
  std::int64_t status;
  std::int64_t queries;
};

void append(Bytes& bytes, const void* data, std::size_t size) {
  const auto* first = static_cast<const std::byte*>(data);
  bytes.insert(bytes.end(), first, first + size);
}

void append(Bytes& bytes, const at::Tensor& rows) {
  append(bytes, rows.const_data_ptr(), rows.nbytes());
}

/// Fills `target`, contiguous, with the start of the message, which is taken off.
void take(std::span<const std::byte>& message, const at::Tensor& target) {
  KNNSEQ_ASSERT(message.size() >= target.nbytes(), "a message is too short");
  if (target.nbytes() > 0) {
    std::memcpy(target.mutable_data_ptr(), message.data(), target.nbytes());
  }
  message = message.subspan(target.nbytes());
}

/// A header, then rotated queries, distances and lists.
Bytes pack_queries(const PreparedQueries& queries, std::int64_t status) {
  const MessageHeader header{status, queries.rotated.size(0)};
  const at::Tensor lists = queries.probes.lists.to(at::kInt);
  Bytes bytes;
  bytes.reserve(sizeof(header) + queries.rotated.nbytes() + queries.probes.distances.nbytes() +
                lists.nbytes());
  append(bytes, &header, sizeof(header));
  append(bytes, queries.rotated);
  append(bytes, queries.probes.distances);
  append(bytes, lists);
  return bytes;
}

}  // namespace

void start_gathering(comm::Communicator& comm, const PreparedQueries& mine, std::int64_t status) {
  comm.start_all_gather(pack_queries(mine, status));
}

GatheredQueries collect_queries(comm::Communicator& comm, const PreparedQueries& mine) {
  const auto messages = comm.collect();
  GatheredQueries gathered;
  for (const Bytes& message : messages) {
    MessageHeader header{};
    KNNSEQ_ASSERT(message.size() >= sizeof(header), "a message is too short");
    std::memcpy(&header, message.data(), sizeof(header));
    gathered.statuses.push_back(header.status);
    gathered.counts.push_back(header.queries);
  }
  const std::int64_t total =
      std::accumulate(gathered.counts.begin(), gathered.counts.end(), std::int64_t{0});
  const std::int64_t nprobe = mine.probes.lists.size(1);
  const at::Tensor lists = at::empty({total, nprobe}, at::kInt);
  gathered.all.rotated = at::empty({total, mine.rotated.size(1)}, at::kFloat);
  gathered.all.probes.distances = at::empty({total, nprobe}, at::kFloat);
  std::int64_t row = 0;
  for (int rank = 0; rank < comm.size(); ++rank) {
    const auto count = gathered.counts[rank];
    auto rest = std::span<const std::byte>(messages[rank]).subspan(sizeof(MessageHeader));
    take(rest, gathered.all.rotated.narrow(0, row, count));
    take(rest, gathered.all.probes.distances.narrow(0, row, count));
    take(rest, lists.narrow(0, row, count));
    KNNSEQ_ASSERT(rest.empty(), "a message is too long");
    row += count;
  }
  gathered.all.probes.lists = lists.to(at::kLong);
  return gathered;
}

void start_returning(comm::Communicator& comm, const index::TopK& found,
                     std::span<const std::int64_t> counts) {
  std::vector<Bytes> parts;
  std::int64_t row = 0;
  for (const auto count : counts) {
    Bytes& part = parts.emplace_back();
    append(part, found.distances.narrow(0, row, count));
    append(part, found.ids.narrow(0, row, count));
    row += count;
  }
  comm.start_all_to_all(std::move(parts));
}

index::TopK collect_results(comm::Communicator& comm, std::int64_t queries, std::int64_t k) {
  const auto messages = comm.collect();
  // [ranks, queries, k] → [queries, ranks · k]
  const index::TopK partial{at::empty({comm.size(), queries, k}, at::kFloat),
                            at::empty({comm.size(), queries, k}, at::kLong)};
  for (int rank = 0; rank < comm.size(); ++rank) {
    std::span<const std::byte> message = messages[rank];
    take(message, partial.distances[rank]);
    take(message, partial.ids[rank]);
    KNNSEQ_ASSERT(message.empty(), "a message is too long");
  }
  const auto side_by_side = [&](const at::Tensor& of_ranks) {
    return of_ranks.transpose(0, 1).contiguous().view({queries, comm.size() * k});
  };
  return {side_by_side(partial.distances), side_by_side(partial.ids)};
}

index::TopK return_results(comm::Communicator& comm, const index::TopK& found,
                           std::span<const std::int64_t> counts) {
  start_returning(comm, found, counts);
  return collect_results(comm, counts[comm.rank()], found.k());
}

}  // namespace knnseq::retrieval
