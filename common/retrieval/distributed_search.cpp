#include "retrieval/distributed_search.hpp"

#include <array>
#include <span>
#include <utility>

#include "retrieval/exchange/neighbours.hpp"
#include "retrieval/exchange/query_message.hpp"
#include "retrieval/exchange/result_exchange.hpp"
#include "retrieval/exchange/tensor_exchange.hpp"
#include "retrieval/tensor_search.hpp"
#include "retrieval/timed.hpp"

namespace knnseq::retrieval {

DistributedSearch::DistributedSearch(comm::Communicator& comm, const index::Codebook& codebook,
                                     std::unique_ptr<index::LocalIndex> local_index,
                                     const SearchOptions& options, SearchDevice device)
    : comm_(comm),
      device_(std::move(device)),
      coder_(codebook, device_.device),
      local_index_(std::move(local_index)),
      options_(options) {
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
    prepared.rotated = coder_.rotate(queries.to(device_.device));
    prepared.probes = coder_.probe(prepared.rotated, options_.nprobe, options_.probing);
  }
  ++times_.exchanges;
  times_.queries += queries.size(0);
  if (device_.collectives) return search_tensors_together(prepared, status);
  if (comm_.size() == 1) {
    const Timed timed(times_.scan_seconds);
    times_.scanned_queries += queries.size(0);
    const Neighbours found =
        to_neighbours(local_index_->search(prepared.rotated, prepared.probes, options_.k));
    return {found.scores, found.ids, {status}};
  }
  return search_together(prepared, status);
}

Exchange DistributedSearch::search_together(const PreparedQueries& prepared, std::int64_t status) {
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
    partial = return_results(comm_, found, received.counts);
  }

  const Timed timed(times_.merge_seconds);
  const Neighbours merged = to_neighbours(merge_results(partial));
  return {merged.scores, merged.ids, received.statuses};
}

Exchange DistributedSearch::search_tensors_together(const PreparedQueries& prepared,
                                                    std::int64_t status) {
  Exchange exchange;
  std::vector<std::int64_t> counts;
  PreparedQueries all = prepared;
  {
    const Timed timed(times_.exchange_seconds);
    const std::array<std::int64_t, 2> mine = {status, prepared.rotated.size(0)};
    const auto headers = comm_.all_gather(std::span<const std::int64_t>(mine));
    for (int rank = 0; rank < comm_.size(); ++rank) {
      exchange.statuses.push_back(headers.of(rank)[0]);
      counts.push_back(headers.of(rank)[1]);
    }
    if (comm_.size() > 1) all = gather_queries(*device_.collectives, prepared, counts);
  }

  index::DeviceTopK found;
  {
    const Timed timed(times_.scan_seconds);
    found = search_tensors(*local_index_, all, options_.k);
    times_.scanned_queries += all.rotated.size(0);
  }

  if (comm_.size() > 1) {
    const Timed timed(times_.exchange_seconds);
    found = return_and_merge(*device_.collectives, found, counts);
  }
  exchange.scores = found.distances.neg();
  exchange.ids = found.ids;
  return exchange;
}

}  // namespace knnseq::retrieval
