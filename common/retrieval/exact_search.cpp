#include "retrieval/exact_search.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "index/core/parallel.hpp"
#include "index/core/plain_distance.hpp"
#include "retrieval/exchange/merge_top_k.hpp"

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
      subsets_(static_cast<std::size_t>(subsets)),
      k_(static_cast<std::size_t>(k)),
      slack_(static_cast<float>(queries.size(1)) * 0x1p-21f),
      nearest_(static_cast<std::size_t>(queries.size(0)) * subsets_) {
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
    const auto part = [&](auto span) {
      return span.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
    };
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
  const auto heaps =
      std::span(nearest_).subspan(static_cast<std::size_t>(query) * subsets_, subsets_);
  const auto loosest = [&] {
    float limit = worst(heaps[0]);
    for (const Heap& heap : heaps) limit = std::max(limit, worst(heap));
    return limit - of_query;
  };
  float limit = loosest();
  for (std::size_t j = 0; j < tile.entries.size(); ++j) {
    const float bound = bounds[j] + products[j];
    if (bound > limit) continue;
    const float* key = tile.keys.const_data_ptr<float>() + static_cast<std::int64_t>(j) * d;
    const Candidate candidate{distance(vector, key), tile.entries[j]};
    for (std::size_t subset = 0; subset < subsets_; ++subset) {
      Heap& heap = heaps[subset];
      if ((tile.subsets[j] >> subset & 1) == 0) continue;
      if (heap.size() == k_) {
        if (!(candidate < heap.front())) continue;
        std::pop_heap(heap.begin(), heap.end());
        heap.back() = candidate;
      } else {
        heap.push_back(candidate);
      }
      std::push_heap(heap.begin(), heap.end());
    }
    limit = loosest();
  }
}

float ExactSearch::worst(const Heap& heap) const {
  return heap.size() < k_ ? index::missing_distance : heap.front().distance;
}

float ExactSearch::distance(const float* query, const float* key) const {
  return index::plain_distance(metric_, query, key, queries_.size(1));
}

index::TopK ExactSearch::result(std::int64_t subset) const {
  const std::int64_t q = queries_.size(0);
  index::TopK found{q, static_cast<std::int64_t>(k_),
                    std::vector<float>(static_cast<std::size_t>(q) * k_, index::missing_distance),
                    std::vector<std::int64_t>(static_cast<std::size_t>(q) * k_, index::missing_id)};
  for (std::size_t query = 0; query < static_cast<std::size_t>(q); ++query) {
    Heap sorted = nearest_[query * subsets_ + static_cast<std::size_t>(subset)];
    std::sort_heap(sorted.begin(), sorted.end());
    for (std::size_t j = 0; j < sorted.size(); ++j) {
      found.distances[query * k_ + j] = sorted[j].distance;
      found.ids[query * k_ + j] = sorted[j].entry;
    }
  }
  return found;
}

index::TopK merge_over_ranks(comm::Communicator& comm, const index::TopK& mine) {
  if (comm.size() == 1) return mine;
  const auto distances = comm.all_gather(std::span<const float>(mine.distances));
  const auto ids = comm.all_gather(std::span<const std::int64_t>(mine.ids));
  index::TopK merged = mine;
  const auto k = static_cast<std::size_t>(mine.k);
  std::vector<NeighbourList> lists(static_cast<std::size_t>(comm.size()));
  for (std::size_t row = 0; row < merged.ids.size(); row += k) {
    for (int rank = 0; rank < comm.size(); ++rank) {
      lists[static_cast<std::size_t>(rank)] = {distances.of(rank).subspan(row, k),
                                               ids.of(rank).subspan(row, k)};
    }
    merge_top_k(lists, std::span(merged.distances).subspan(row, k),
                std::span(merged.ids).subspan(row, k));
  }
  return merged;
}

}  // namespace knnseq::retrieval
