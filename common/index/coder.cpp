#include "index/coder.hpp"

#include <algorithm>
#include <compare>
#include <limits>
#include <vector>

#include "core/types.hpp"
#include "index/parallel.hpp"

namespace knnseq::index {

namespace {

struct Candidate {
  float distance;
  std::int32_t list;
  auto operator<=>(const Candidate&) const = default;
};

/// Keeps the `count` smallest candidates as a heap with the worst on top.
void offer(std::vector<Candidate>& heap, std::size_t count, const Candidate& candidate) {
  if (heap.size() == count) {
    if (!(candidate < heap.front())) return;
    std::pop_heap(heap.begin(), heap.end());
    heap.back() = candidate;
  } else {
    heap.push_back(candidate);
  }
  std::push_heap(heap.begin(), heap.end());
}

float squared_distance(const float* a, const float* b, std::int64_t d) {
  constexpr int lanes = 8;
  float sums[lanes] = {};
  std::int64_t j = 0;
  for (; j + lanes <= d; j += lanes) {
    for (int lane = 0; lane < lanes; ++lane) {
      const float difference = a[j + lane] - b[j + lane];
      sums[lane] += difference * difference;
    }
  }
  for (; j < d; ++j) sums[0] += (a[j] - b[j]) * (a[j] - b[j]);
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

}  // namespace

at::Tensor rotate_vectors(const Codebook& codebook, const at::Tensor& keys) {
  KNNSEQ_ASSERT(keys.dim() == 2 && keys.size(1) == codebook.spec.d_in, "keys are [n, d_in]");
  at::Tensor vectors = keys.to(at::kFloat).contiguous();
  if (codebook.spec.metric == Metric::cos) {
    vectors = vectors / at::linalg_vector_norm(vectors, 2, 1, /*keepdim=*/true)
                            .clamp_min(std::numeric_limits<float>::min());
  }
  if (!codebook.rotation.defined()) return vectors;
  if (!codebook.bias.defined()) return at::mm(vectors, codebook.rotation.t());
  return at::addmm(codebook.bias, vectors, codebook.rotation.t());
}

Coder::Coder(const Codebook& codebook)
    : codebook_(codebook),
      coarse_(codebook.coarse_centroids),
      pq_tables_(make_pq_tables({codebook.pq_centroids.const_data_ptr<float>(),
                                 codebook.spec.m * codebook.spec.centroids(), codebook.spec.dsub()},
                                codebook.spec.m)) {}

at::Tensor Coder::rotate(const at::Tensor& keys) const { return rotate_vectors(codebook_, keys); }

at::Tensor Coder::assign_exact(const at::Tensor& rotated) const { return coarse_.nearest(rotated); }

at::Tensor Coder::encode(const at::Tensor& rotated, const at::Tensor& lists) const {
  const at::Tensor residuals =
      (rotated - at::index_select(codebook_.coarse_centroids, 0, lists)).contiguous();
  at::Tensor codes = at::empty({residuals.size(0), pq_tables_.m}, at::kByte);
  pq_assign({residuals.const_data_ptr<float>(), residuals.size(0), residuals.size(1)}, pq_tables_,
            {codes.mutable_data_ptr<std::uint8_t>(), codes.size(0), codes.size(1)});
  return codes;
}

Probes Coder::probe(const at::Tensor& rotated, std::int64_t nprobe) const {
  const at::Tensor queries = rotated.contiguous();
  const std::int64_t q = queries.size(0);
  const std::int64_t d = queries.size(1);
  const std::int64_t width = std::min(nprobe, codebook_.spec.nlist);
  // The matrix product rounds; a few more candidates than needed are measured again exactly.
  const auto count = static_cast<std::size_t>(
      std::min(codebook_.spec.nlist, width + std::max<std::int64_t>(8, width / 4)));
  std::vector<std::vector<Candidate>> nearest(static_cast<std::size_t>(q));
  coarse_.visit_tiles(queries, [&](const ScoreTile& tile) {
    parallel_for(tile.products.rows, [&](std::int64_t i) {
      auto& heap = nearest[static_cast<std::size_t>(tile.first_row + i)];
      for (std::int64_t j = 0; j < tile.products.columns; ++j) {
        offer(heap, count, {tile.score(i, j), static_cast<std::int32_t>(tile.first_centroid + j)});
      }
    });
  });

  Probes probes{at::empty({q, width}, at::kLong), at::empty({q, width}, at::kFloat)};
  auto* lists = probes.lists.mutable_data_ptr<std::int64_t>();
  auto* distances = probes.distances.mutable_data_ptr<float>();
  const float* query = queries.const_data_ptr<float>();
  const float* centroids = codebook_.coarse_centroids.const_data_ptr<float>();
  parallel_for(q, [&](std::int64_t i) {
    auto& candidates = nearest[static_cast<std::size_t>(i)];
    for (Candidate& candidate : candidates) {
      candidate.distance = squared_distance(query + i * d, centroids + candidate.list * d, d);
    }
    std::sort(candidates.begin(), candidates.end());
    for (std::int64_t j = 0; j < width; ++j) {
      const Candidate& chosen = candidates[static_cast<std::size_t>(j)];
      lists[i * width + j] = chosen.list;
      distances[i * width + j] = chosen.distance;
    }
  });
  return probes;
}

}  // namespace knnseq::index
