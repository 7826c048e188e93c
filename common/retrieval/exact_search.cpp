#include "retrieval/exact_search.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "index/core/merge_top_k.hpp"
#include "index/core/parallel.hpp"
#include "index/core/plain_distance.hpp"

namespace knnseq::retrieval {

namespace {

constexpr std::int64_t tile_keys = 1024;

at::Tensor squared_norms(const at::Tensor& vectors) { return at::sum(vectors * vectors, {1}); }

}  // namespace

ExactSearch::ExactSearch(const at::Tensor& queries, index::Metric metric, std::int64_t subsets,
                         std::int64_t k)
    : queries_(queries.contiguous()),
      norms_(squared_norms(queries_)),
      metric_(metric),
      subsets_(subsets),
      k_(k),
      slack_(static_cast<float>(queries.size(1)) * 0x1p-21f),
      nearest_(static_cast<std::size_t>(queries.size(0)) * subsets_, index::make_nearest(k)) {
  KNNSEQ_ASSERT(queries.scalar_type() == at::kFloat && subsets > 0 && subsets <= 64 && k > 0,
                "queries are fp32 [q, d], subsets 1 to 64, k positive");
}

void ExactSearch::add(const ExactKeys& more) {
  const std::int64_t n = more.keys.size(0);
  KNNSEQ_ASSERT(more.keys.scalar_type() == at::kFloat && more.keys.size(1) == queries_.size(1) &&
                    std::ssize(more.entries) == n && std::ssize(more.subsets) == n,
                "keys are fp32 [n, d] with an entry number and subsets each");
  const at::Tensor keys = more.keys.contiguous();
  for (std::int64_t first = 0; first < n; first += tile_keys) {
    const std::int64_t count = std::min(tile_keys, n - first);
    const auto part = [&](auto span) { return span.subspan(first, count); };
    const ExactKeys tile{keys.narrow(0, first, count), part(more.entries), part(more.subsets)};
    // A key's distance is at least bounds[key] + products[query, key] + what its query adds.
    const at::Tensor norms = squared_norms(tile.keys);
    const at::Tensor bounds = norms * ((index::is_inner_product(metric_) ? 0.0f : 1.0f) - slack_);
    const at::Tensor products =
        at::mm(queries_, tile.keys.t()).mul_(index::is_inner_product(metric_) ? -1.0f : -2.0f);
    index::parallel_for(queries_.size(0), [&](std::int64_t query) {
      scan(tile, bounds.const_data_ptr<float>(), query,
           products.const_data_ptr<float>() + query * count);
    });
  }
}

void ExactSearch::scan(const ExactKeys& tile, const float* bounds, std::int64_t query,
                       const float* products) {
  const std::int64_t d = queries_.size(1);
  const float* vector = queries_.const_data_ptr<float>() + query * d;
  const float of_query = norms_.const_data_ptr<float>()[query] *
                         ((index::is_inner_product(metric_) ? 0.0f : 1.0f) - slack_);
  const auto nearest =
      std::span(nearest_).subspan(static_cast<std::size_t>(query) * subsets_, subsets_);
  const auto loosest = [&] {
    float limit = nearest[0].limit().distance;
    for (const auto& of_subset : nearest) limit = std::max(limit, of_subset.limit().distance);
    return limit - of_query;
  };
  float limit = loosest();
  for (std::size_t j = 0; j < tile.entries.size(); ++j) {
    const float bound = bounds[j] + products[j];
    if (bound > limit) continue;
    const float* key = tile.keys.const_data_ptr<float>() + static_cast<std::int64_t>(j) * d;
    const index::Neighbour candidate{distance(vector, key), tile.entries[j]};
    for (std::size_t subset = 0; subset < subsets_; ++subset) {
      if ((tile.subsets[j] >> subset & 1) != 0) nearest[subset].offer(candidate);
    }
    limit = loosest();
  }
}

float ExactSearch::distance(const float* query, const float* key) const {
  return index::plain_distance(metric_, query, key, queries_.size(1));
}

index::TopK ExactSearch::result(std::int64_t subset) const {
  const std::int64_t q = queries_.size(0);
  const index::TopK found = index::missing_top_k(q, k_);
  for (std::int64_t query = 0; query < q; ++query) {
    index::NearestNeighbours nearest =
        nearest_[static_cast<std::size_t>(query) * subsets_ + static_cast<std::size_t>(subset)];
    found.set_row(query, nearest.take_sorted());
  }
  return found;
}

index::TopK merge_over_ranks(comm::Communicator& comm, const index::TopK& mine) {
  if (comm.size() == 1) return mine;
  const auto of_all_ranks = [&]<class T>(const at::Tensor& own) {
    const auto all = comm.all_gather(std::span(own.const_data_ptr<T>(), own.numel()));
    return at::tensor(at::ArrayRef<T>(all.values), own.scalar_type())
        .view({comm.size(), mine.queries(), mine.k()})
        .transpose(0, 1)
        .contiguous()
        .view({mine.queries(), comm.size() * mine.k()});
  };
  return index::merge_top_k_cpu({of_all_ranks.operator()<float>(mine.distances),
                                 of_all_ranks.operator()<std::int64_t>(mine.ids)},
                                mine.k());
}

}  // namespace knnseq::retrieval
