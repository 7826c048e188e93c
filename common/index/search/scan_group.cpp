#include "index/search/scan_group.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <numeric>

#include "index/core/kth_smallest.hpp"
#include "index/core/marks.hpp"

namespace knnseq::index {

namespace {

/// How many entries give a query's first bound: per neighbour, and at least.
constexpr std::int64_t first_entries_per_k = 8;
constexpr std::int64_t least_first_entries = 512;

/// With an infinite distance, what nothing infinite comes before; see make_nearest().
constexpr std::int64_t first_id = 0;

}  // namespace

ScanGroup::ScanGroup(const ScanTarget& target, const ScanBatch& batch, core::Range rows,
                     std::int64_t k)
    : target_(target),
      batch_(batch),
      rows_(rows),
      k_(k),
      padded_(rows.size() * target.centroids.m() * target.centroids.padded_dsub(), 0),
      tables_(at::empty({rows.size(), scan_table_bytes(target.kernel, target.centroids.m())},
                        at::kByte)),
      queries_(),
      best_(rows.size(), NearestFound(static_cast<std::size_t>(k), {missing_distance, &first_id})),
      scores_(),
      passing_(),
      minima_(),
      marks_() {
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
  // In the order of lists, so that queries which share one find it in the cache.
  std::vector<Visit> visits;
  for (std::int64_t query = 0; query < rows_.size(); ++query) visits.push_back(visit_of(query, 0));
  sort_by_list(visits);
  std::vector<Visit> rest;
  for (const Visit& nearest : visits) {
    const std::int64_t first = search_nearest_lists(nearest.query);
    for (std::int64_t probe = first; probe < batch_.lists.columns; ++probe) {
      const Visit found = visit_of(nearest.query, probe);
      if (target_.lists.size(found.list) > 0) rest.push_back(found);
    }
  }
  sort_by_list(rest);
  for (std::size_t i = 0; i < rest.size(); ++i) {
    next_blocks_ = target_.lists.blocks(rest[std::min(i + 1, rest.size() - 1)].list);
    visit(rest[i]);
  }
}

/// Those of one list stay in their order.
void ScanGroup::sort_by_list(std::vector<Visit>& visits) const {
  constexpr int bits = 10;  // of a list's number at a time: as many counters stay in the cache
  constexpr std::int64_t digits = 1 << bits;
  std::vector<Visit> sorted(visits.size());
  for (int shift = 0; (target_.lists.lists() - 1) >> shift != 0; shift += bits) {
    std::array<std::size_t, digits> starts{};
    const auto digit = [&](const Visit& visit) { return (visit.list >> shift) & (digits - 1); };
    for (const Visit& visit : visits) ++starts[digit(visit)];
    std::exclusive_scan(starts.begin(), starts.end(), starts.begin(), std::size_t{0});
    for (const Visit& visit : visits) sorted[starts[digit(visit)]++] = visit;
    visits.swap(sorted);
  }
}

void ScanGroup::write(const TopK& result) {
  for (std::int64_t i = 0; i < rows_.size(); ++i) {
    const auto found = best_[i].take_sorted();
    for (const Found& f : found) __builtin_prefetch(f.id);
    std::vector<Neighbour> neighbours(found.size());
    std::ranges::transform(found, neighbours.begin(), [](const Found& f) {
      return Neighbour{f.distance, *f.id};
    });
    result.set_row(rows_.begin + i, neighbours);
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
  starts_.assign(1, 0);
  for (std::int64_t entries = 0; probe < batch_.lists.columns && entries < wanted; ++probe) {
    const Visit nearest = visit_of(query, probe);
    const std::size_t first = starts_.back();
    next_blocks_ =
        target_.lists.blocks(visit_of(query, std::min(probe + 1, batch_.lists.columns - 1)).list);
    run_kernel(nearest, missing_distance, first);
    const auto shift = static_cast<float>(base_of(nearest) - first_base);
    for (std::size_t i = first; i < scores_.size(); ++i) scores_[i] += shift;
    starts_.push_back(scores_.size());
    error = std::max(error, error_of(nearest));
    entries += target_.lists.size(nearest.list);
  }
  scores_.resize(core::ceil_div(std::ssize(scores_), score_chunk) * score_chunk, missing_distance);
  minima_.resize(scores_.size() / score_lanes);
  target_.adc.find_minima(scores_.data(), std::ssize(scores_) / score_chunk, minima_.data());
  // The k entries with the lowest bounds tell how far the k-th nearest is at most.
  const NearestFound& best = best_[query];
  const auto limit = [&] {
    return above(static_cast<double>(best.limit().distance) - first_base + 2 * error);
  };
  const float lowest = above(static_cast<double>(kth_smallest_at_most(scores_, minima_, k_)));
  measure_between(-missing_distance, lowest, query, limit);
  measure_between(lowest, limit(), query, limit);
  return probe;
}

/// Of a query's nearest lists, whose scores scores_ has from starts_ on, measures the entries with
/// scores from `low` to below `high`, and below limit() when their turn comes.
template <class Limit>
void ScanGroup::measure_between(float low, float high, std::int64_t query, const Limit& limit) {
  const float* const scores = scores_.data();
  std::size_t probe = 0;
  visit_chosen(
      scores_.size(), marks_,
      [&](std::size_t i) { return (scores[i] >= low) & (scores[i] < high); },
      [&](std::size_t position) {
        if (!(scores[position] < limit())) return;
        while (position >= starts_[probe + 1]) ++probe;
        measure(visit_of(query, static_cast<std::int64_t>(probe)), position - starts_[probe]);
      });
}

void ScanGroup::visit(const Visit& visit) {
  const NearestFound& best = best_[visit.query];
  const double margin = error_of(visit) - base_of(visit);
  const auto limit_of = [&] { return above(static_cast<double>(best.limit().distance) + margin); };
  float limit = limit_of();
  run_kernel(visit, limit, 0);
  for (std::size_t block = 0; block < passing_.size(); ++block) {
    for (std::uint64_t bits = passing_[block]; bits != 0; bits &= bits - 1) {
      const std::size_t position =
          block * scan_block_entries + static_cast<std::size_t>(std::countr_zero(bits));
      if (!(scores_[position] < limit)) continue;  // it may have fallen since
      measure(visit, position);
      limit = limit_of();
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
                       .weights = query.weights,
                       .scale = query.scale,
                       .limit = limit,
                       .next = next_blocks_,
                       .scores = scores_.data() + first,
                       .passing = passing_.data()});
}

void ScanGroup::measure(const Visit& visit, std::size_t position) {
  const auto entry = static_cast<std::int64_t>(position);
  const ScanCentroids& centroids = target_.centroids;
  const float product =
      centroids.dot(queries_[visit.query].padded, target_.lists.code(visit.list, entry),
                    centroids.places().data());
  const float base = probe_distance(visit) + target_.lists.term(visit.list, entry);
  best_[visit.query].offer({base + product, target_.lists.ids(visit.list) + entry});
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
