#include <algorithm>
#include <compare>
#include <limits>
#include <vector>

#include <faiss/IndexHNSW.h>
#include <fmt/format.h>

#include "core/error.hpp"
#include "index/core/marks.hpp"
#include "index/core/parallel.hpp"
#include "index/core/plain_distance.hpp"
#include "index/faiss_io/faiss_codebook.hpp"
#include "index/quantize/probe_lists.hpp"

namespace knnseq::index {

namespace {

struct Candidate {
  float distance;
  std::int32_t list;
  auto operator<=>(const Candidate&) const = default;
};

constexpr float worst_score = std::numeric_limits<float>::infinity();

/// The candidates of one query with the lowest scores, in no order.
class Shortlist {
 public:
  explicit Shortlist(std::size_t count) : count_(count), candidates_(), marks_() {}

  /// Takes a row of a tile.
  void add(const ScoreTile& tile, std::int64_t row) {
    const std::int64_t columns = tile.products.columns;
    std::vector<float> scores(columns);
    for (std::int64_t j = 0; j < columns; ++j) {
      const float score = tile.score(row, j);
      scores[j] = score == score ? score : worst_score;  // what is not a number has no order
    }
    const float limit = no_less_than_lowest(scores);
    const float* const row_scores = scores.data();
    visit_chosen(
        scores.size(), marks_, [&](std::size_t j) { return row_scores[j] <= limit; },
        [&](std::size_t j) {
          candidates_.push_back(
              {row_scores[j],
               static_cast<std::int32_t>(tile.first_centroid + static_cast<std::int64_t>(j))});
        });
    if (candidates_.size() <= count_) return;
    const auto end = candidates_.begin() + static_cast<std::ptrdiff_t>(count_);
    std::nth_element(candidates_.begin(), end, candidates_.end());
    candidates_.erase(end, candidates_.end());
  }

  std::vector<Candidate>& candidates() { return candidates_; }

 private:
  /// At least the count-th lowest score: that of the lowest of each of some groups, of which there
  /// are more than scores are wanted.
  float no_less_than_lowest(const std::vector<float>& scores) const {
    const std::size_t groups = 2 * count_;
    if (scores.size() <= groups) return worst_score;
    std::vector<float> minima(scores.begin(), scores.begin() + static_cast<std::ptrdiff_t>(groups));
    for (std::size_t first = groups; first < scores.size(); first += groups) {
      const std::size_t width = std::min(groups, scores.size() - first);
      for (std::size_t g = 0; g < width; ++g) {
        minima[g] = scores[first + g] < minima[g] ? scores[first + g] : minima[g];
      }
    }
    const auto last = minima.begin() + static_cast<std::ptrdiff_t>(count_) - 1;
    std::nth_element(minima.begin(), last, minima.end());
    return *last;
  }

  std::size_t count_;
  std::vector<Candidate> candidates_;
  std::vector<std::uint8_t> marks_;  ///< of visit_chosen()
};

}  // namespace

Probes probe_lists_cpu(const CentroidScan& scan, const at::Tensor& queries, std::int64_t width,
                       Metric metric) {
  const std::int64_t q = queries.size(0);
  const std::int64_t d = queries.size(1);
  // The matrix product rounds; a few more candidates than needed are measured again exactly.
  const auto count = static_cast<std::size_t>(
      std::min(scan.centroids().size(0), width + std::max<std::int64_t>(8, width / 4)));
  std::vector<Shortlist> nearest(q, Shortlist(count));
  scan.visit_tiles(queries, [&](const ScoreTile& tile) {
    parallel_for(tile.products.rows,
                 [&](std::int64_t i) { nearest[tile.first_row + i].add(tile, i); });
  });

  Probes probes{at::empty({q, width}, at::kLong), at::empty({q, width}, at::kFloat)};
  auto* lists = probes.lists.mutable_data_ptr<std::int64_t>();
  auto* distances = probes.distances.mutable_data_ptr<float>();
  const float* query = queries.const_data_ptr<float>();
  const float* centroids = scan.centroids().const_data_ptr<float>();
  parallel_for(q, [&](std::int64_t i) {
    auto& candidates = nearest[i].candidates();
    for (Candidate& candidate : candidates) {
      candidate.distance = plain_distance(metric, query + i * d, centroids + candidate.list * d, d);
    }
    std::sort(candidates.begin(), candidates.end());
    for (std::int64_t j = 0; j < width; ++j) {
      const Candidate& chosen = candidates[j];
      lists[i * width + j] = chosen.list;
      distances[i * width + j] = chosen.distance;
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
