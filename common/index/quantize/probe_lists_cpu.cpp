#include <algorithm>
#include <compare>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

#include <faiss/IndexHNSW.h>
#include <fmt/format.h>

#include "core/error.hpp"
#include "index/core/kth_smallest.hpp"
#include "index/core/marks.hpp"
#include "index/core/parallel.hpp"
#include "index/core/plain_distance.hpp"
#include "index/faiss_io/faiss_codebook.hpp"
#include "index/quantize/probe_lists.hpp"
#include "index/simd/simd_kernels.hpp"

namespace knnseq::index {

namespace {

struct Candidate {
  float distance;
  std::int32_t list;
  auto operator<=>(const Candidate&) const = default;
};

/// Centroids whose scores are made together: they stay in the second-level cache.
constexpr std::int64_t probe_tile = 1024;

/// Lists that may be among a query's nearest, ascending, and their scores.
struct LowScores {
  std::vector<float> scores;
  std::vector<std::int32_t> lists;
};

/// Some queries' nearest lists: how they are looked for, and one thread's memory for that.
class ProbePanel {
 public:
  /// count: candidates of each query.
  ProbePanel(const CentroidScan& scan, std::int64_t count)
      : kernel_(simd_kernels().nearest), centroids_(scan.scored()), count_(count) {
    const std::int64_t most = kernel_.panel_rows;
    const std::int64_t tile = std::min(probe_tile, scan.centroids().size(0));
    total_ = scan.centroids().size(0);
    columns_.resize(centroids_.d * most);
    scores_.resize(tile * most);
    minima_.resize(2 * count_ * most);
    marks_.resize(tile * most);
    limits_.resize(most);
    low_.resize(most);
  }

  /// Of queries [numbers] the lists with the `count` lowest scores, or some more.
  std::span<const LowScores> find(const RowPointers& queries,
                                  std::span<const std::int32_t> numbers) {
    const auto filled = std::ssize(numbers);
    const std::int64_t rows = kernel_.score_panel_rows(filled);
    transpose_rows(queries, numbers, {rows, centroids_.d}, columns_.data());
    for (LowScores& low : low_) {
      low.scores.clear();
      low.lists.clear();
    }
    ScorePanel panel{.columns = columns_.data(),
                     .rows = rows,
                     .d = centroids_.d,
                     .groups = 2 * count_,
                     .scores = scores_.data(),
                     .minima = minima_.data(),
                     .limits = limits_.data(),
                     .marks = marks_.data()};
    for (std::int64_t first = 0; first < total_; first += probe_tile) {
      panel.centroids = centroids_.centroids + first * centroids_.d;
      panel.norms = centroids_.norms + first;
      panel.count = std::min(probe_tile, total_ - first);
      kernel_.score(panel);
      if (first == 0) choose_limits(panel, filled);
      panel.minima = nullptr;  // later tiles have the limits already
      kernel_.mark(panel);
      take(panel, first);
    }
    for (std::int64_t row = 0; row < filled; ++row) trim(static_cast<std::size_t>(row));
    return std::span(low_).first(filled);
  }

 private:
  /// At least the count-th lowest score of the first tile: that of the lowest of each of some
  /// groups, of which there are more than scores are wanted.
  void choose_limits(const ScorePanel& panel, std::int64_t filled) {
    std::vector<float> minima(panel.groups);
    for (std::int64_t row = 0; row < panel.rows; ++row) {
      float& limit = limits_[row];
      limit = row < filled ? std::numeric_limits<float>::infinity()
                           : -std::numeric_limits<float>::infinity();
      if (row >= filled || panel.count <= panel.groups) continue;
      for (std::int64_t g = 0; g < panel.groups; ++g) {
        minima[g] = panel.minima[g * panel.rows + row];
      }
      limit = kth_smallest_at_most(minima, count_);
    }
  }

  void take(const ScorePanel& panel, std::int64_t first) {
    const auto rows = static_cast<std::size_t>(panel.rows);
    visit_marked(panel.marks, static_cast<std::size_t>(panel.count) * rows, [&](std::size_t place) {
      const auto list = static_cast<std::int32_t>(first + static_cast<std::int64_t>(place / rows));
      LowScores& low = low_[place % rows];
      low.scores.push_back(panel.scores[place]);
      low.lists.push_back(list);
    });
    for (std::size_t row = 0; row < rows; ++row) {
      if (std::ssize(low_[row].scores) >= 2 * count_) trim(row);
    }
  }

  /// Leaves the `count` lowest, or some more.
  void trim(std::size_t row) {
    auto& [scores, lists] = low_[row];
    const float limit = kth_smallest_at_most(scores, count_);
    std::size_t kept = 0;
    for (std::size_t i = 0; i < scores.size(); ++i) {
      scores[kept] = scores[i];
      lists[kept] = lists[i];
      kept += scores[i] <= limit ? 1 : 0;
    }
    scores.resize(kept);
    lists.resize(kept);
    limits_[row] = limit;
  }

  const NearestKernel& kernel_;
  ScoredCentroids centroids_;
  std::int64_t count_;
  std::int64_t total_ = 0;           ///< of centroids
  std::vector<float> columns_;       ///< [d, rows]
  std::vector<float> scores_;        ///< [tile, rows]
  std::vector<float> minima_;        ///< [groups, rows]
  std::vector<std::uint8_t> marks_;  ///< [tile, rows]
  std::vector<float> limits_;        ///< [rows]: no higher score is needed
  std::vector<LowScores> low_;       ///< [rows]
};

}  // namespace

Probes probe_lists_cpu(const CentroidScan& scan, const at::Tensor& queries, std::int64_t width,
                       Metric metric) {
  const std::int64_t q = queries.size(0);
  const std::int64_t d = queries.size(1);
  // Scores round; a few more candidates than needed are measured again exactly.
  const std::int64_t count =
      std::min(scan.centroids().size(0), width + std::max<std::int64_t>(8, width / 4));
  RowPointers rows;
  append_rows(queries, rows);
  std::vector<std::int32_t> numbers(rows.size());
  std::iota(numbers.begin(), numbers.end(), 0);
  Probes probes{at::empty({q, width}, at::kLong), at::empty({q, width}, at::kFloat)};
  auto* lists = probes.lists.mutable_data_ptr<std::int64_t>();
  auto* distances = probes.distances.mutable_data_ptr<float>();
  const float* centroids = scan.centroids().const_data_ptr<float>();
  const auto probe = [&](ProbePanel& panel, core::Range range) {
    const auto of_range = std::span(numbers).subspan(range.begin, range.size());
    const auto found = panel.find(rows, of_range);
    std::vector<Candidate> candidates;
    for (std::int64_t i = 0; i < range.size(); ++i) {
      const std::int64_t row = range.begin + i;
      candidates.clear();
      for (const std::int32_t list : found[i].lists) {
        candidates.push_back({plain_distance(metric, rows[row], centroids + list * d, d), list});
      }
      std::sort(candidates.begin(), candidates.end());
      for (std::int64_t j = 0; j < width; ++j) {
        lists[row * width + j] = candidates[j].list;
        distances[row * width + j] = candidates[j].distance;
      }
    }
  };
  const std::int64_t together = simd_kernels().nearest.panel_rows;
  parallel_ranges(q, [&](core::Range range) {
    ProbePanel panel(scan, count);
    for (auto first = range.begin; first < range.end; first += together) {
      probe(panel, {first, std::min(first + together, range.end)});
    }
  });
  return probes;
}

Probes probe_graph(const Codebook& codebook, const at::Tensor& queries, std::int64_t width) {
  if (!codebook.coarse_graph) {
    throw core::InputError("probing by hnsw needs lists with a graph, such as " +
                           fmt::format("IVF{}_HNSW32", codebook.spec.nlist));
  }
  const std::int64_t q = queries.size(0);
  const std::int64_t d = queries.size(1);
  Probes probes{at::empty({q, width}, at::kLong), at::empty({q, width}, at::kFloat)};
  auto* lists = probes.lists.mutable_data_ptr<std::int64_t>();
  auto* distances = probes.distances.mutable_data_ptr<float>();
  const float* query = queries.const_data_ptr<float>();
  const float* centroids = codebook.coarse_centroids.const_data_ptr<float>();
  parallel_for(q, [&](std::int64_t i) {
    std::vector<FaissId> found(width);
    std::vector<float> scores(found.size());
    codebook.coarse_graph->search(1, query + i * d, width, scores.data(), found.data());
    // a disconnected graph may give too few: then arbitrary lists fill up
    std::erase(found, FaissId{-1});
    for (FaissId list = 0; std::ssize(found) < width; ++list) {
      if (std::find(found.begin(), found.end(), list) == found.end()) found.push_back(list);
    }
    std::vector<Candidate> candidates;
    for (const FaissId list : found) {
      candidates.push_back(
          {plain_distance(codebook.spec.metric, query + i * d, centroids + list * d, d),
           static_cast<std::int32_t>(list)});
    }
    std::sort(candidates.begin(), candidates.end());
    for (std::int64_t j = 0; j < width; ++j) {
      lists[i * width + j] = candidates[j].list;
      distances[i * width + j] = candidates[j].distance;
    }
  });
  return probes;
}

}  // namespace knnseq::index
