#include "index/quantize/vector_quantizer.hpp"

#include <algorithm>
#include <compare>
#include <vector>

#include <ATen/Parallel.h>
#include <faiss/IndexHNSW.h>
#include <fmt/format.h>

#include "core/error.hpp"
#include "core/types.hpp"
#include "index/core/normalised.hpp"
#include "index/core/parallel.hpp"
#include "index/core/plain_distance.hpp"
#include "index/faiss_io/faiss_codebook.hpp"
#include "index/quantize/device_probes.hpp"

namespace knnseq::index {

namespace {

constexpr std::int64_t rows_a_thread = 4096;  ///< that are encoded together

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

}  // namespace

at::Tensor rotate_vectors(const Codebook& codebook, const at::Tensor& keys) {
  KNNSEQ_ASSERT(keys.dim() == 2, "keys are [n, d_in]");
  if (keys.size(1) != codebook.spec.d_in) {
    throw core::InputError(
        fmt::format("vectors of width {} cannot be searched with a codebook for "
                    "width {}",
                    keys.size(1), codebook.spec.d_in));
  }
  const at::Tensor vectors =
      codebook.spec.metric == Metric::cos ? normalised(keys) : keys.to(at::kFloat).contiguous();
  const auto transform = [&] {
    if (!codebook.rotation.defined()) return vectors;
    if (!codebook.bias.defined()) return at::mm(vectors, codebook.rotation.t());
    return at::addmm(codebook.bias, vectors, codebook.rotation.t());
  };
  return codebook.spec.normalised ? normalised(transform()) : transform();
}

VectorQuantizer::VectorQuantizer(const Codebook& codebook, at::Device device, gpu::ComputePath path)
    : codebook_(codebook), device_(device), on_device_(copy_to(codebook, device)) {
  const IndexSpec& spec = codebook.spec;
  if (spec.has_lists()) coarse_.emplace(on_device_.coarse_centroids, spec.metric, path);
  if (spec.storage != Storage::pq) return;
  if (path == gpu::ComputePath::torch) {
    device_pq_.emplace(codebook.pq_centroids, device);
  } else {
    pq_tables_ = make_pq_tables(
        {codebook.pq_centroids.const_data_ptr<float>(), spec.m * spec.centroids(), spec.dsub()},
        spec.m);
  }
}

at::Tensor VectorQuantizer::rotate(const at::Tensor& keys) const {
  return rotate_vectors(on_device_, keys);
}

at::Tensor VectorQuantizer::assign_exact(const at::Tensor& rotated) const {
  KNNSEQ_ASSERT(coarse_, "an index without lists");
  return coarse_->nearest(rotated);
}

at::Tensor VectorQuantizer::encode(const at::Tensor& rotated, const at::Tensor& lists) const {
  const IndexSpec& spec = codebook_.spec;
  if (!spec.has_quantizer()) {
    return rotated.contiguous().view(at::kByte).view({rotated.size(0), spec.code_bytes()});
  }
  if (spec.storage == Storage::pq_fast_scan) {
    return fast_scan_codes(codebook_, rotated.cpu()).to(device_);
  }
  at::Tensor codes = at::empty({rotated.size(0), spec.m}, rotated.options().dtype(at::kByte));
  // Some rows at a time, which stay in the cache.
  const std::int64_t together = rows_a_thread * at::get_num_threads();
  for (std::int64_t first = 0; first < rotated.size(0); first += together) {
    const std::int64_t rows = std::min(together, rotated.size(0) - first);
    at::Tensor vectors = rotated.narrow(0, first, rows);
    if (spec.has_lists()) {
      vectors =
          vectors - at::index_select(on_device_.coarse_centroids, 0, lists.narrow(0, first, rows));
    }
    encode_vectors(vectors.contiguous(), codes.narrow(0, first, rows));
  }
  return codes;
}

void VectorQuantizer::encode_vectors(const at::Tensor& vectors, at::Tensor codes) const {
  if (device_pq_) {
    codes.copy_(device_pq_assign(vectors, *device_pq_));
    return;
  }
  pq_assign({vectors.const_data_ptr<float>(), vectors.size(0), vectors.size(1)}, *pq_tables_,
            {codes.mutable_data_ptr<std::uint8_t>(), codes.size(0), codes.size(1)});
}

Probes VectorQuantizer::probe(const at::Tensor& rotated, std::int64_t nprobe,
                              Probing probing) const {
  const at::Tensor queries = rotated.contiguous();
  if (!coarse_) {
    return {at::empty({queries.size(0), 0}, queries.options().dtype(at::kLong)),
            at::empty({queries.size(0), 0}, queries.options())};
  }
  const std::int64_t width = std::min(nprobe, codebook_.spec.nlist);
  if (probing == Probing::hnsw) {
    const Probes found = probe_graph(queries.cpu(), width);
    return {found.lists.to(device_), found.distances.to(device_)};
  }
  if (coarse_->path() == gpu::ComputePath::cpu) return probe_exhaustively(queries, width);
  return device_probes(queries, coarse_->centroids(), coarse_->norms(), width,
                       codebook_.spec.metric);
}

Probes VectorQuantizer::probe_graph(const at::Tensor& queries, std::int64_t width) const {
  if (!codebook_.coarse_graph) {
    throw core::InputError("probing by hnsw needs lists with a graph, such as " +
                           fmt::format("IVF{}_HNSW32", codebook_.spec.nlist));
  }
  const std::int64_t q = queries.size(0);
  const std::int64_t d = queries.size(1);
  Probes probes{at::empty({q, width}, at::kLong), at::empty({q, width}, at::kFloat)};
  auto* lists = probes.lists.mutable_data_ptr<std::int64_t>();
  auto* distances = probes.distances.mutable_data_ptr<float>();
  const float* query = queries.const_data_ptr<float>();
  const float* centroids = codebook_.coarse_centroids.const_data_ptr<float>();
  parallel_for(q, [&](std::int64_t i) {
    std::vector<FaissId> found(static_cast<std::size_t>(width));
    std::vector<float> scores(found.size());
    codebook_.coarse_graph->search(1, query + i * d, width, scores.data(), found.data());
    // a graph in pieces may give too few: then any lists make up the number
    std::erase(found, FaissId{-1});
    for (FaissId list = 0; std::ssize(found) < width; ++list) {
      if (std::find(found.begin(), found.end(), list) == found.end()) found.push_back(list);
    }
    std::vector<Candidate> candidates;
    for (const FaissId list : found) {
      candidates.push_back(
          {plain_distance(codebook_.spec.metric, query + i * d, centroids + list * d, d),
           static_cast<std::int32_t>(list)});
    }
    std::sort(candidates.begin(), candidates.end());
    for (std::int64_t j = 0; j < width; ++j) {
      lists[i * width + j] = candidates[static_cast<std::size_t>(j)].list;
      distances[i * width + j] = candidates[static_cast<std::size_t>(j)].distance;
    }
  });
  return probes;
}

Probes VectorQuantizer::probe_exhaustively(const at::Tensor& queries, std::int64_t width) const {
  const std::int64_t q = queries.size(0);
  const std::int64_t d = queries.size(1);
  const Metric metric = codebook_.spec.metric;
  // The matrix product rounds; a few more candidates than needed are measured again exactly.
  const auto count = static_cast<std::size_t>(
      std::min(codebook_.spec.nlist, width + std::max<std::int64_t>(8, width / 4)));
  std::vector<std::vector<Candidate>> nearest(static_cast<std::size_t>(q));
  coarse_->visit_tiles(queries, [&](const ScoreTile& tile) {
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
      candidate.distance = plain_distance(metric, query + i * d, centroids + candidate.list * d, d);
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
