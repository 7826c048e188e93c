#include "index/search/scan_group.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "index/search/kth_smallest.hpp"

namespace knnseq::index {

namespace {

/// How many entries give a query's first bound: per neighbour, and at least.
constexpr std::int64_t first_entries_per_k = 8;
constexpr std::int64_t least_first_entries = 512;

}  // namespace

ScanGroup::ScanGroup(const ScanTarget& target, const ScanBatch& batch, core::Range rows,
                     std::int64_t k)
    : target_(target),
      batch_(batch),
      rows_(rows),
      k_(k),
      padded_(rows.size() * target.centroids.m() * target.centroids.padded_dsub(), 0),
      tables_(at::empty({rows.size(), scan_table_bytes(target.centroids.m())}, at::kByte)),
      queries_(),
      best_(rows.size(), make_neighbour_heap(k)),
      scores_(),
      passing_(),
      positions_() {
  const ScanCentroids& centroids = target_.centroids;
  for (std::int64_t i = 0; i < rows_.size(); ++i) {
    float* padded = padded_.data() + i * centroids.m() * centroids.padded_dsub();
    centroids.pad(batch_.queries.row(rows_.begin + i).data(), target_.inner_product ? -1 : -2,
                  padded);
    queries_.push_back(
        make_scan_query(target_.kernel, centroids, padded,
                        tables_.mutable_data_ptr<std::uint8_t>() + i * tables_.size(1)));
  }
}

void ScanGroup::search() {
  std::vector<Visit> rest;
  for (std::int64_t query = 0; query < rows_.size(); ++query) {
    const std::int64_t first = search_nearest_lists(query);
    for (std::int64_t probe = first; probe < batch_.lists.columns; ++probe) {
      const Visit found = visit_of(query, probe);
      if (target_.lists.size(found.list) > 0) rest.push_back(found);
    }
  }
  std::sort(rest.begin(), rest.end());
  for (std::size_t i = 0; i < rest.size(); ++i) {
    next_blocks_ = target_.lists.blocks(rest[std::min(i + 1, rest.size() - 1)].list);
    visit(rest[i]);
  }
}

void ScanGroup::write(const TopK& result) {
  for (std::int64_t i = 0; i < rows_.size(); ++i) {
    result.set_row(rows_.begin + i, best_[i].take_sorted());
  }
}

/// Visits a query's nearest lists until they hold enough entries to tell roughly how far the k-th
/// is; only those entries are then measured whose bounds allow them to be among the best k. Returns
/// the number of lists visited.
std::int64_t ScanGroup::search_nearest_lists(std::int64_t query) {
  const std::int64_t wanted = std::max(least_first_entries, first_entries_per_k * k_);
  const double first_base = base_of(visit_of(query, 0));
  std::int64_t probe = 0;
  double error = 0;
  scores_.clear();
  for (std::int64_t entries = 0; probe < batch_.lists.columns && entries < wanted; ++probe) {
    const Visit nearest = visit_of(query, probe);
    const std::size_t first = scores_.size();
    next_blocks_ =
        target_.lists.blocks(visit_of(query, std::min(probe + 1, batch_.lists.columns - 1)).list);
    run_kernel(nearest, missing_distance, first);
    const auto shift = static_cast<float>(base_of(nearest) - first_base);
    for (std::size_t i = first; i < scores_.size(); ++i) scores_[i] += shift;
    error = std::max(error, error_of(nearest));
    entries += target_.lists.size(nearest.list);
  }
  // The k entries with the lowest bounds tell how far the k-th nearest is at most.
  const NeighbourHeap& best = best_[query];
  const auto limit = [&] {
    return above(static_cast<double>(best.limit().distance) - first_base + 2 * error);
  };
  const float lowest = above(static_cast<double>(kth_smallest_at_most(scores_, k_)));
  measure_between(-missing_distance, lowest, query, probe, limit);
  measure_between(lowest, limit(), query, probe, limit);
  return probe;
}

/// Of a query's nearest `lists` lists, whose scores scores_ has, measures the entries with scores
/// from `low` to below `high`, and below limit() when their turn comes.
template <class Limit>
void ScanGroup::measure_between(float low, float high, std::int64_t query, std::int64_t lists,
                                const Limit& limit) {
  const float* scores = scores_.data();
  for (std::int64_t probe = 0; probe < lists; ++probe) {
    const Visit nearest = visit_of(query, probe);
    const std::int64_t size = target_.lists.size(nearest.list);
    positions_.resize(std::max(positions_.size(), static_cast<std::size_t>(size)));
    std::size_t count = 0;
    for (std::int64_t i = 0; i < size; ++i) {  // without branches, which nothing could predict
      positions_[count] = i;
      count +=
          static_cast<std::size_t>(scores[i] >= low) & static_cast<std::size_t>(scores[i] < high);
    }
    const std::int64_t* ids = target_.lists.ids(nearest.list);
    for (std::size_t i = 0; i < count; ++i) __builtin_prefetch(ids + positions_[i]);
    for (std::size_t i = 0; i < count; ++i) {
      if (scores[positions_[i]] < limit()) measure(nearest, positions_[i]);
    }
    scores += target_.lists.block_count(nearest.list) * scan_block_entries;
  }
}

void ScanGroup::visit(const Visit& visit) {
  const NeighbourHeap& best = best_[visit.query];
  const double margin = error_of(visit) - base_of(visit);
  const auto limit = [&] { return above(static_cast<double>(best.limit().distance) + margin); };
  run_kernel(visit, limit(), 0);
  for (std::size_t block = 0; block < passing_.size(); ++block) {
    for (std::uint64_t bits = passing_[block]; bits != 0; bits &= bits - 1) {
      const std::size_t position =
          block * scan_block_entries + static_cast<std::size_t>(std::countr_zero(bits));
      // The limit may have fallen since.
      if (scores_[position] < limit()) measure(visit, static_cast<std::int64_t>(position));
    }
  }
}

/// Writes the scores of the list's blocks to scores_ from `first` on; scores_ ends after them.
void ScanGroup::run_kernel(const Visit& visit, float limit, std::size_t first) {
  const std::int64_t count = target_.lists.block_count(visit.list);
  scores_.resize(first + static_cast<std::size_t>(count * scan_block_entries));
  passing_.resize(count);
  const ScanQuery& query = queries_[visit.query];
  target_.kernel.scan({.blocks = target_.lists.blocks(visit.list),
                       .count = count,
                       .m = target_.lists.m(),
                       .table = query.table,
                       .near_table = query.near_table,
                       .scale = query.scale,
                       .limit = limit,
                       .next = next_blocks_,
                       .scores = scores_.data() + first,
                       .passing = passing_.data()});
}

void ScanGroup::measure(const Visit& visit, std::int64_t position) {
  // Far from the code in memory, and needed if the entry is near enough, which few are.
  const std::int64_t* id = target_.lists.ids(visit.list) + position;
  __builtin_prefetch(id);
  const ScanQuery& query = queries_[visit.query];
  const float product = target_.centroids.dot(
      query.padded, target_.lists.code(visit.list, position), scan_block_entries);
  const float base = probe_distance(visit) + target_.lists.term(visit.list, position);
  NeighbourHeap& best = best_[visit.query];
  const float distance = base + product;
  if (distance <= best.limit().distance) best.offer({distance, *id});
}

ScanGroup::Visit ScanGroup::visit_of(std::int64_t query, std::int64_t probe) const {
  const std::int64_t list = batch_.lists.row(rows_.begin + query)[probe];
  KNNSEQ_ASSERT(list >= 0 && list < target_.lists.lists(), "a probe of no list");
  return {list, query, probe};
}

float ScanGroup::probe_distance(const Visit& visit) const {
  return batch_.probe_distances.row(rows_.begin + visit.query)[visit.probe];
}

double ScanGroup::base_of(const Visit& visit) const {
  return static_cast<double>(probe_distance(visit)) + queries_[visit.query].floor;
}

double ScanGroup::error_of(const Visit& visit) const {
  return queries_[visit.query].error(std::abs(static_cast<double>(probe_distance(visit))) +
                                     static_cast<double>(target_.lists.largest_term(visit.list)));
}

}  // namespace knnseq::index
