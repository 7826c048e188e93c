#include "retrieval/distributed_search.hpp"

#include <utility>

#include "retrieval/neighbours.hpp"
#include "retrieval/query_message.hpp"
#include "retrieval/result_exchange.hpp"
#include "retrieval/timed.hpp"

namespace knnseq::retrieval {

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

}  // namespace knnseq::retrieval
