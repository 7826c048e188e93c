#include "retrieval/distributed_search.hpp"

#include <utility>

#include <fmt/format.h>

#include "index/core/merge_top_k.hpp"
#include "retrieval/timed.hpp"

namespace knnseq::retrieval {

DistributedSearch::DistributedSearch(comm::Communicator& comm, const index::Codebook& codebook,
                                     std::shared_ptr<index::LocalIndex> local_index,
                                     const SearchOptions& options, SearchDevice device)
    : comm_(comm),
      device_(std::move(device)),
      coder_(codebook, device_.device, device_.path.value_or(gpu::compute_path_on(device_.device))),
      local_index_(std::move(local_index)),
      options_(options),
      statuses_() {
  DistributedSearch::set_options(options);
}

void DistributedSearch::set_options(const SearchOptions& options) {
  options.validate();
  options_ = options;
  local_index_->set_ef_search(options.ef_search);
}

index::TopK DistributedSearch::search(const at::Tensor& queries, std::span<const std::int64_t>) {
  const PreparedQueries prepared = prepare(queries);
  ++times_.exchanges;
  times_.queries += queries.size(0);
  if (comm_.size() == 1) {
    statuses_ = {status_};
    return scan(prepared);
  }
  const GatheredQueries gathered = gather(prepared);
  statuses_ = gathered.statuses;
  return return_and_merge(scan(gathered.all), gathered);
}

PreparedQueries DistributedSearch::prepare(const at::Tensor& queries) {
  const Timed timed(times_.prepare_seconds);
  PreparedQueries prepared;
  prepared.rotated = coder_.rotate(queries.to(device_.device));
  prepared.probes = coder_.probe(prepared.rotated, options_.nprobe, options_.probing);
  return prepared;
}

GatheredQueries DistributedSearch::gather(const PreparedQueries& prepared) {
  const Timed timed(times_.exchange_seconds);
  return device_.collectives ? gather_queries(comm_, *device_.collectives, prepared, status_)
                             : gather_queries(comm_, prepared, status_);
}

/// Queries and results are copied if the entries lie elsewhere.
index::TopK DistributedSearch::scan(const PreparedQueries& queries) {
  const Timed timed(times_.scan_seconds);
  times_.scanned_queries += queries.rotated.size(0);
  const at::Device there = local_index_->device();
  return local_index_
      ->search(queries.rotated.to(there),
               {queries.probes.lists.to(there), queries.probes.distances.to(there)}, options_.k)
      .to(device_.device);
}

index::TopK DistributedSearch::return_and_merge(const index::TopK& found,
                                                const GatheredQueries& gathered) {
  index::TopK partial;
  {
    const Timed timed(times_.exchange_seconds);
    partial = device_.collectives ? return_results(*device_.collectives, found, gathered.counts)
                                  : return_results(comm_, found, gathered.counts);
  }
  const Timed timed(times_.merge_seconds);
  return device_.collectives ? index::merge_top_k_torch(partial, options_.k)
                             : index::merge_top_k_cpu(partial, options_.k);
}

std::string DistributedSearch::summary() const {
  if (comm_.size() == 1) {
    return fmt::format("{} queries in {} steps; probing {:.1f} s, scanning {:.1f} s",
                       times_.queries, times_.exchanges, times_.prepare_seconds,
                       times_.scan_seconds);
  }
  return fmt::format(
      "{} queries in {} exchanges; probing {:.1f} s, scanning {:.1f} s, exchanging and waiting "
      "{:.1f} s, merging {:.1f} s",
      times_.queries, times_.exchanges, times_.prepare_seconds, times_.scan_seconds,
      times_.exchange_seconds, times_.merge_seconds);
}

}  // namespace knnseq::retrieval
