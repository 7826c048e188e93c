#include <algorithm>
#include <bit>
#include <vector>

#include "core/error.hpp"
#include "index/core/certain_top_k.hpp"
#include "index/core/kth_smallest.hpp"
#include "index/core/marks.hpp"
#include "index/core/parallel.hpp"
#include "index/search/subset_scan.hpp"
#include "index/simd/scan_kernel.hpp"

namespace knnseq::index {

namespace {

constexpr std::size_t chunk = score_chunk;

/// Searches one query after another. Refers to its arguments.
class Searcher {
 public:
  Searcher(const SubsetCodebook& codebook, const ScanLists& lists, std::int64_t k)
      : codebook_(codebook),
        lists_(lists),
        k_(k),
        ids_(nullptr),
        table_(lists.m() * 256),
        minima_(lists.m()),
        bytes_(at::empty({lists.m() * 256}, at::kByte)),
        scores_(),
        passing_(),
        minima_of_groups_(),
        marks_(),
        passed_() {}

  std::vector<Neighbour> search(const float* query, std::int64_t set) {
    set_ = set;
    ids_ = lists_.ids(set);
    make_table(query);
    scan();
    find_minima();
    // A score is at most the distance, and less by at most the slack: the k-th best distance is at
    // most so much above the k-th smallest score, which is at most the k-th smallest minimum.
    const float kth = kth_smallest_at_most(scores_, minima_of_groups_, k_);
    collect_below(above(static_cast<double>(kth) + slack_ + 2 * error_));
    NearestNeighbours best = make_nearest(k_);
    float limit = missing_distance;
    for (const auto position : passed_) {
      if (scores_[position] < limit && measure(position, best)) {
        limit = above(static_cast<double>(best.limit().distance) - floor_ + error_);
      }
    }
    return best.take_sorted();
  }

 private:
  void make_table(const float* query) {
    const std::int64_t m = lists_.m();
    AdcTableJob job;
    job.query = query;
    job.columns = codebook_.centroids.columns();
    job.m = m;
    job.dsub = codebook_.centroids.dsub();
    job.inner_product = is_inner_product(codebook_.metric);
    job.levels = static_cast<float>(std::min<std::int64_t>(255, 65535 / m));
    job.table = table_.data();
    job.bytes = bytes_.mutable_data_ptr<std::uint8_t>();
    job.minima = minima_.data();
    codebook_.kernels->adc.make_table(job);
    const double width = std::max(job.widest, least_scan_width);
    scale_ = job.widest > least_scan_width ? job.widest / job.levels : 0;
    floor_ = job.floor;
    // What rounding down may have cost: a step a sub-vector, or the whole width if there are no
    // steps; and what fp32 may have rounded in a bound or a distance, of which no partial sum
    // exceeds the magnitude.
    slack_ = static_cast<double>(m) * (scale_ > 0 ? static_cast<double>(scale_) : width);
    constexpr double rounding = 1.0 / (1 << 23);  // twice that of one operation
    error_ =
        static_cast<double>(m + 16) * rounding * (job.magnitude + static_cast<double>(m) * width);
  }

  /// Scores of all blocks of the set.
  void scan() {
    const std::int64_t blocks = lists_.block_count(set_);
    scores_.resize(blocks * scan_block_entries);
    passing_.resize(blocks);
    if (blocks == 0) return;
    codebook_.kernels->scan.scan({.blocks = lists_.blocks(set_),
                                  .count = blocks,
                                  .m = lists_.m(),
                                  .table = bytes_.const_data_ptr<std::uint8_t>(),
                                  .scale = scale_,
                                  .limit = missing_distance,
                                  .scores = scores_.data(),
                                  .passing = passing_.data()});
  }

  /// The smallest score of each group of whole chunks.
  void find_minima() {
    const std::int64_t chunks = std::ssize(scores_) / score_chunk;
    minima_of_groups_.resize(chunks * score_lanes);
    codebook_.kernels->adc.find_minima(scores_.data(), chunks, minima_of_groups_.data());
  }

  /// Positions of the entries whose score is below the limit.
  void collect_below(float limit) {
    passed_.clear();
    const float* const minima = minima_of_groups_.data();
    visit_chosen(
        minima_of_groups_.size(), marks_, [&](std::size_t group) { return minima[group] < limit; },
        [&](std::size_t group) {
          const std::size_t first = group / score_lanes * chunk + group % score_lanes;
          std::uint32_t below = 0;  // a bit a row
          for (std::size_t row = 0; row < score_lanes; ++row) {
            below |= std::uint32_t{scores_[first + row * score_lanes] < limit} << row;
          }
          for (; below != 0; below &= below - 1) {
            pass(first + static_cast<std::size_t>(std::countr_zero(below)) * score_lanes);
          }
        });
    for (std::size_t i = minima_of_groups_.size() * score_lanes; i < scores_.size(); ++i) {
      if (scores_[i] < limit) pass(i);
    }
  }

  /// Prefetches its id; its code is still in a cache from the scan.
  void pass(std::size_t position) {
    passed_.push_back(position);
    __builtin_prefetch(ids_ + position);
  }

  /// Whether it is among the best so far.
  bool measure(std::size_t position, NearestNeighbours& best) const {
    const std::uint8_t* code = lists_.code(set_, static_cast<std::int64_t>(position));
    const float* table = table_.data();
    float sums[4] = {};
    std::int64_t s = 0;
    for (; s + 4 <= lists_.m(); s += 4, table += 4 * 256) {
      for (int i = 0; i < 4; ++i) sums[i] += table[i * 256 + code[(s + i) * scan_block_entries]];
    }
    for (; s < lists_.m(); ++s, table += 256) {
      sums[s % 4] += table[code[s * scan_block_entries]];
    }
    const float distance = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    if (!(distance <= best.limit().distance)) return false;
    best.offer({distance, ids_[position]});
    return true;
  }

  const SubsetCodebook& codebook_;
  const ScanLists& lists_;
  std::int64_t k_;
  std::int64_t set_ = -1;      ///< that is searched
  const std::int64_t* ids_;    ///< its entries
  std::vector<float> table_;   ///< [m, 256]
  std::vector<float> minima_;  ///< [m]
  at::Tensor bytes_;           ///< [m, 256], aligned
  float scale_ = 0;
  double floor_ = 0, slack_ = 0, error_ = 0;
  std::vector<float> scores_;  ///< of the set's entries, then infinity up to whole blocks
  std::vector<std::uint64_t> passing_;
  std::vector<float> minima_of_groups_;
  std::vector<std::uint8_t> marks_;  ///< of visit_chosen()
  std::vector<std::size_t> passed_;  ///< positions of entries that may be near
};

}  // namespace

SubsetScan::SubsetScan(const SubsetCodebook& codebook, std::span<const std::int64_t> sizes)
    : codebook_(codebook), lists_(codebook.centroids.m(), sizes) {
  if (codebook_.kernels == nullptr) codebook_.kernels = &simd_kernels();
}

void SubsetScan::append(std::int64_t set, std::span<const std::uint8_t> codes,
                        std::span<const std::int64_t> ids) {
  const auto m = static_cast<std::size_t>(lists_.m());
  KNNSEQ_ASSERT(set >= 0 && set < lists_.lists() && codes.size() == ids.size() * m,
                "codes and ids of one set");
  lists_.append(set, codes, ids);
}

TopK SubsetScan::search(const at::Tensor& rotated, std::span<const std::int64_t> sets,
                        std::int64_t k) const {
  const std::int64_t q = rotated.size(0);
  const std::int64_t d = lists_.m() * codebook_.centroids.dsub();
  KNNSEQ_ASSERT(rotated.dim() == 2 && rotated.scalar_type() == at::kFloat && rotated.size(1) == d &&
                    std::ssize(sets) == q && k > 0,
                "queries are fp32 [q, d_out], each of one set");
  for (const auto set : sets) KNNSEQ_ASSERT(set >= 0 && set < lists_.lists(), "no such set");
  const at::Tensor queries = rotated.contiguous();
  TopK result = missing_top_k(q, k);
  parallel_ranges(q, [&](core::Range range) {
    Searcher searcher(codebook_, lists_, k);
    for (auto i = range.begin; i < range.end; ++i) {
      result.set_row(i, searcher.search(queries.const_data_ptr<float>() + i * d, sets[i]));
    }
  });
  return result;
}

}  // namespace knnseq::index
