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
      options_(options) {
  DistributedSearch::set_options(options);
}

void DistributedSearch::set_options(const SearchOptions& options) {
  options.validate();
  options_ = options;
  local_index_->set_ef_search(options.ef_search);
}

/// One exchange, from the queries of a rank to what all have found for them.
class DistributedSearch::Pending final : public PendingSearch {
 public:
  Pending(DistributedSearch& own, const at::Tensor& queries, std::int64_t status)
      : own_(own), status_(status), mine_(own.prepare(queries)) {
    ++own_.times_.exchanges;
    own_.times_.queries += queries.size(0);
    if (alone() || collectives() != nullptr) return;
    const Timed timed(own_.times_.exchange_seconds);
    start_gathering(own_.comm_, mine_, status_);
  }

  void serve() override {
    gathered_ = gather();
    found_ = own_.scan(std::exchange(gathered_.all, {}));
    if (alone() || collectives() != nullptr) return;
    const Timed timed(own_.times_.exchange_seconds);
    start_returning(own_.comm_, found_, gathered_.counts);
  }

  std::span<const std::int64_t> statuses() const override { return gathered_.statuses; }

  index::TopK finish() override {
    if (alone()) return std::move(found_);
    const index::TopK partial = collect();
    const Timed timed(own_.times_.merge_seconds);
    return collectives() != nullptr ? index::merge_top_k_torch(partial, found_.k())
                                    : index::merge_top_k_cpu(partial, found_.k());
  }

 private:
  bool alone() const { return own_.comm_.size() == 1; }
  gpu::Collectives* collectives() const { return own_.device_.collectives.get(); }

  GatheredQueries gather() {
    if (alone()) return {{status_}, {mine_.rotated.size(0)}, mine_};
    const Timed timed(own_.times_.exchange_seconds);
    return collectives() != nullptr ? gather_queries(own_.comm_, *collectives(), mine_, status_)
                                    : collect_queries(own_.comm_, mine_);
  }

  index::TopK collect() {
    const Timed timed(own_.times_.exchange_seconds);
    return collectives() != nullptr
               ? return_results(*collectives(), found_, gathered_.counts)
               : collect_results(own_.comm_, mine_.rotated.size(0), found_.k());
  }

  DistributedSearch& own_;
  std::int64_t status_;
  PreparedQueries mine_;
  GatheredQueries gathered_;
  index::TopK found_;  ///< in this rank's entries, for all ranks' queries
};

index::TopK DistributedSearch::search(const at::Tensor& queries,
                                      std::span<const std::int64_t> sentences) {
  const auto pending = start(queries, sentences, 0);
  pending->serve();
  return pending->finish();
}

std::unique_ptr<PendingSearch> DistributedSearch::start(const at::Tensor& queries,
                                                        std::span<const std::int64_t>,
                                                        std::int64_t status) {
  return std::make_unique<Pending>(*this, queries, status);
}

PreparedQueries DistributedSearch::prepare(const at::Tensor& queries) {
  const Timed timed(times_.prepare_seconds);
  PreparedQueries prepared;
  prepared.rotated = coder_.rotate(queries.to(device_.device));
  prepared.probes = coder_.probe(prepared.rotated, options_.nprobe, options_.probing);
  return prepared;
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
