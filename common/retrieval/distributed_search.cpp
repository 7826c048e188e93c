#include "retrieval/distributed_search.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "core/error.hpp"
#include "retrieval/merge_top_k.hpp"
#include "retrieval/query_message.hpp"

namespace knnseq::retrieval {

namespace {

/// Adds the time it lives to a sum of seconds.
class Timed {
 public:
  explicit Timed(double& seconds) : seconds_(seconds) {}
  ~Timed() { seconds_ += std::chrono::duration<double>(Clock::now() - start_).count(); }
  Timed(const Timed&) = delete;
  Timed& operator=(const Timed&) = delete;

 private:
  using Clock = std::chrono::steady_clock;
  double& seconds_;
  Clock::time_point start_ = Clock::now();
};

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

/// Scores and ids as tensors, without statuses.
Exchange to_exchange(const index::TopK& found) {
  Exchange exchange{at::empty({found.queries, found.k}, at::kFloat),
                    at::empty({found.queries, found.k}, at::kLong),
                    {}};
  std::transform(found.distances.begin(), found.distances.end(),
                 exchange.scores.mutable_data_ptr<float>(), [](float d) { return -d; });
  std::copy(found.ids.begin(), found.ids.end(), exchange.ids.mutable_data_ptr<std::int64_t>());
  return exchange;
}

index::TopK merge_all(const std::vector<index::TopK>& partial) {
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

}  // namespace

DistributedSearch::DistributedSearch(comm::Communicator& comm, const index::Codebook& codebook,
                                     std::unique_ptr<index::LocalIndex> local_index,
                                     const SearchOptions& options)
    : comm_(comm), coder_(codebook), local_index_(std::move(local_index)), options_(options) {
  options_.validate();
}

void DistributedSearch::set_options(const SearchOptions& options) {
  options.validate();
  options_ = options;
  local_index_->set_ef_search(options.ef_search);
}

Exchange DistributedSearch::search(const at::Tensor& queries, std::int64_t status) {
  PreparedQueries prepared;
  {
    const Timed timed(times_.prepare_seconds);
    prepared.rotated = coder_.rotate(queries);
    prepared.probes = coder_.probe(prepared.rotated, options_.nprobe, options_.probing);
  }
  ++times_.exchanges;
  times_.queries += queries.size(0);
  if (comm_.size() == 1) {
    const Timed timed(times_.scan_seconds);
    times_.scanned_queries += queries.size(0);
    Exchange exchange =
        to_exchange(local_index_->search(prepared.rotated, prepared.probes, options_.k));
    exchange.statuses = {status};
    return exchange;
  }
  return search_together(prepared, status);
}

Exchange DistributedSearch::search_together(const PreparedQueries& prepared, std::int64_t status) {
  const auto ranks = static_cast<std::size_t>(comm_.size());
  UnpackedQueries received;
  {
    const Timed timed(times_.exchange_seconds);
    const auto mine = pack_queries(status, prepared);
    const auto gathered = comm_.all_gather_bytes(mine);
    std::vector<std::span<const std::byte>> messages;
    for (int rank = 0; rank < comm_.size(); ++rank) messages.push_back(gathered.of(rank));
    received = unpack_queries(messages, prepared.rotated.size(1), prepared.probes.lists.size(1));
  }

  index::TopK found;
  {
    const Timed timed(times_.scan_seconds);
    found = local_index_->search(received.all.rotated, received.all.probes, options_.k);
    times_.scanned_queries += found.queries;
  }

  std::vector<index::TopK> partial;
  {
    const Timed timed(times_.exchange_seconds);
    std::vector<std::byte> outgoing;
    std::vector<std::int64_t> counts;
    core::Range rows;
    for (std::size_t rank = 0; rank < ranks; ++rank) {
      rows = {rows.end, rows.end + received.counts[rank]};
      const auto bytes = pack_results(found, rows);
      counts.push_back(static_cast<std::int64_t>(bytes.size()));
      outgoing.insert(outgoing.end(), bytes.begin(), bytes.end());
    }
    const auto incoming = comm_.all_to_all_bytes(outgoing, counts);
    for (int rank = 0; rank < comm_.size(); ++rank) {
      partial.push_back(unpack_results(incoming.of(rank), prepared.rotated.size(0), options_.k));
    }
  }

  const Timed timed(times_.merge_seconds);
  Exchange exchange = to_exchange(merge_all(partial));
  exchange.statuses = received.statuses;
  return exchange;
}

}  // namespace knnseq::retrieval
