#include "stages/sweep/measure_search.hpp"

#include <algorithm>
#include <array>

#include "core/entry_id.hpp"
#include "metrics/recall.hpp"
#include "obs/resources.hpp"

namespace knnseq::stages {

namespace {

constexpr std::int64_t block_queries = 160;  // 32 sentences with a beam of 5

/// Blocks are cut once, so that rotated queries are rounded alike for any number of ranks: in step
/// s rank r has block s · ranks + r, which may be empty.
core::Range block_of(const comm::Communicator& comm, std::int64_t step, std::int64_t queries) {
  const auto first = (step * comm.size() + comm.rank()) * block_queries;
  return {std::min(first, queries), std::min(first + block_queries, queries)};
}

/// Adds one block's hits to the counts, one for each k.
void count_block(const SearchTask& task, core::Range block, const at::Tensor& found_ids,
                 std::vector<metrics::RecallCount>& counts) {
  const auto* ids = found_ids.const_data_ptr<std::int64_t>();
  for (auto query = block.begin; query < block.end; ++query) {
    std::vector<std::int64_t> found;
    for (std::int64_t j = 0; j < found_ids.size(1); ++j) {
      const auto id = *ids++;
      found.push_back(id == index::missing_id ? id : core::entry_number_of(id));
    }
    const auto [distances, entries] = task.truth.row(query);
    for (std::size_t i = 0; i < task.k.size(); ++i) {
      counts[i] += metrics::count_recall(found, entries, distances, task.k[i]);
    }
  }
}

}  // namespace

SweepPoint measure_search(comm::Communicator& comm, retrieval::DistributedSearch& search,
                          const SearchTask& task, const NamedSetting& setting) {
  search.set_options(setting.options);
  const std::int64_t queries = task.queries.size(0);
  const std::int64_t steps = core::ceil_div(queries, block_queries * comm.size());
  std::vector<metrics::RecallCount> counts(task.k.size());
  std::array<double, 3> seconds{};
  for (std::size_t pass = 0; pass < seconds.size(); ++pass) {
    std::vector<at::Tensor> found;
    comm.barrier();
    const obs::Stopwatch watch;
    for (std::int64_t step = 0; step < steps; ++step) {
      const auto block = block_of(comm, step, queries);
      found.push_back(search.search(task.queries.slice(0, block.begin, block.end)).ids);
    }
    seconds[pass] = comm.all_reduce(watch.seconds(), comm::Reduction::max);
    if (pass > 0) continue;
    for (std::int64_t step = 0; step < steps; ++step) {
      count_block(task, block_of(comm, step, queries), found[step], counts);
    }
  }
  std::sort(seconds.begin(), seconds.end());
  SweepPoint point{setting.name, {}, 1e6 * seconds[1] / static_cast<double>(queries)};
  for (const auto& count : counts) {
    const metrics::RecallCount all{comm.all_reduce(count.hits, comm::Reduction::sum),
                                   comm.all_reduce(count.of, comm::Reduction::sum)};
    point.recalls.push_back(all.share());
  }
  return point;
}

}  // namespace knnseq::stages
