#include "index/faiss_io/faiss_codebook.hpp"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include <faiss/IndexFlat.h>
#include <faiss/IndexHNSW.h>
#include <faiss/IndexIDMap.h>
#include <faiss/IndexIVFFlat.h>
#include <faiss/IndexIVFPQ.h>
#include <faiss/IndexPQ.h>
#include <faiss/IndexPQFastScan.h>
#include <faiss/IndexPreTransform.h>
#include <faiss/VectorTransform.h>
#include <omp.h>

#include "core/error.hpp"
#include "core/types.hpp"

namespace knnseq::index {

namespace {

std::vector<float> vector_of(const at::Tensor& tensor) {
  const at::Tensor dense = tensor.contiguous();
  const float* data = dense.const_data_ptr<float>();
  return {data, data + dense.numel()};
}

/// One thread for faiss while it lives.
class OneThread {
 public:
  OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~OneThread() { omp_set_num_threads(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

std::unique_ptr<faiss::IndexHNSWFlat> make_graph(const IndexSpec& spec, std::int64_t edges) {
  auto graph = std::make_unique<faiss::IndexHNSWFlat>(
      core::narrow<int>(spec.d_out), core::narrow<int>(edges), faiss_metric(spec.metric));
  graph->is_trained = true;
  return graph;
}

/// Finds the lists; owned by the index that gets it.
std::unique_ptr<faiss::Index> make_quantizer(const Codebook& codebook) {
  if (codebook.spec.coarse_edges > 0) {
    KNNSEQ_ASSERT(codebook.coarse_graph, "the graph over the coarse centroids is not there");
    auto graph = make_graph(codebook.spec, codebook.spec.coarse_edges);
    auto& storage = dynamic_cast<faiss::IndexFlat&>(*graph->storage);
    storage.add(codebook.spec.nlist, codebook.coarse_centroids.const_data_ptr<float>());
    graph->hnsw = codebook.coarse_graph->hnsw;
    graph->ntotal = codebook.spec.nlist;
    return graph;
  }
  auto flat =
      std::make_unique<faiss::IndexFlat>(codebook.spec.d_out, faiss_metric(codebook.spec.metric));
  flat->add(codebook.spec.nlist, codebook.coarse_centroids.contiguous().const_data_ptr<float>());
  return flat;
}

void set_quantizer(const Codebook& codebook, faiss::ProductQuantizer& pq) {
  const auto centroids = vector_of(codebook.pq_centroids);
  KNNSEQ_ASSERT(centroids.size() == pq.centroids.size(), "product quantisers of different shapes");
  std::copy(centroids.begin(), centroids.end(), pq.centroids.begin());
}

std::unique_ptr<faiss::IndexPQ> make_flat_quantizer(const Codebook& codebook) {
  const IndexSpec& spec = codebook.spec;
  auto index = std::make_unique<faiss::IndexPQ>(core::narrow<int>(spec.d_out), spec.m, spec.nbits(),
                                                faiss_metric(spec.metric));
  set_quantizer(codebook, index->pq);
  index->is_trained = true;
  return index;
}

std::unique_ptr<faiss::LinearTransform> make_linear(const Codebook& codebook) {
  const auto d_in = core::narrow<int>(codebook.spec.d_in);
  const auto d_out = core::narrow<int>(codebook.spec.d_out);
  std::unique_ptr<faiss::LinearTransform> linear;
  if (codebook.spec.transform == Transform::pca) {
    linear = std::make_unique<faiss::PCAMatrix>(d_in, d_out,
                                                codebook.spec.whitened ? whitening_power : 0.0f);
  } else {
    linear = std::make_unique<faiss::LinearTransform>(d_in, d_out, /*have_bias=*/false);
  }
  linear->A = vector_of(codebook.rotation);
  if (linear->have_bias) {
    linear->b.assign(d_out, 0);
    if (codebook.bias.defined()) linear->b = vector_of(codebook.bias);
  }
  linear->is_trained = true;
  return linear;
}

}  // namespace

faiss::MetricType faiss_metric(Metric metric) {
  return is_inner_product(metric) ? faiss::METRIC_INNER_PRODUCT : faiss::METRIC_L2;
}

void build_coarse_graph(Codebook& codebook) {
  if (codebook.spec.coarse_edges == 0) return;
  const OneThread one_thread;
  std::shared_ptr<faiss::IndexHNSWFlat> graph =
      make_graph(codebook.spec, codebook.spec.coarse_edges);
  graph->add(codebook.spec.nlist, codebook.coarse_centroids.const_data_ptr<float>());
  codebook.coarse_graph = std::move(graph);
}

std::unique_ptr<faiss::IndexIVF> make_faiss_lists(const Codebook& codebook) {
  const IndexSpec& spec = codebook.spec;
  const auto d = static_cast<std::size_t>(spec.d_out);
  const auto nlist = static_cast<std::size_t>(spec.nlist);
  auto quantizer = make_quantizer(codebook);
  std::unique_ptr<faiss::IndexIVF> index;
  if (spec.storage == Storage::flat) {
    index =
        std::make_unique<faiss::IndexIVFFlat>(quantizer.get(), d, nlist, faiss_metric(spec.metric));
  } else {
    auto ivfpq = std::make_unique<faiss::IndexIVFPQ>(quantizer.get(), d, nlist, spec.m,
                                                     spec.nbits(), faiss_metric(spec.metric));
    ivfpq->by_residual = true;
    set_quantizer(codebook, ivfpq->pq);
    index = std::move(ivfpq);
  }
  index->own_fields = true;
  quantizer.release();  // NOLINT(bugprone-unused-return-value): the index owns it now
  index->is_trained = true;
  return index;
}

std::unique_ptr<faiss::Index> make_faiss_index(const Codebook& codebook) {
  const IndexSpec& spec = codebook.spec;
  if (spec.has_lists()) return make_faiss_lists(codebook);
  switch (spec.storage) {
    case Storage::flat:
      return std::make_unique<faiss::IndexFlat>(spec.d_out, faiss_metric(spec.metric));
    case Storage::hnsw:
      return make_graph(spec, spec.edges);
    case Storage::pq_fast_scan:
      return std::make_unique<faiss::IndexPQFastScan>(*make_flat_quantizer(codebook));
    case Storage::pq:
      break;
  }
  return make_flat_quantizer(codebook);
}

std::unique_ptr<faiss::Index> with_transform(const Codebook& codebook,
                                             std::unique_ptr<faiss::Index> index) {
  const IndexSpec& spec = codebook.spec;
  const bool cosine = spec.metric == Metric::cos;
  if (spec.transform == Transform::none && !cosine && !spec.normalised) return index;
  auto whole = std::make_unique<faiss::IndexPreTransform>(index.get());
  whole->own_fields = true;
  index.release();  // NOLINT(bugprone-unused-return-value): owned by `whole` now
  const auto prepend = [&](std::unique_ptr<faiss::VectorTransform> transform) {
    whole->prepend_transform(transform.get());
    transform.release();  // NOLINT(bugprone-unused-return-value): likewise
  };
  const auto normalise = [&](std::int64_t width) {
    prepend(std::make_unique<faiss::NormalizationTransform>(core::narrow<int>(width), 2.0f));
  };
  if (spec.normalised) normalise(spec.d_out);
  if (spec.transform != Transform::none) prepend(make_linear(codebook));
  if (cosine) normalise(spec.d_in);
  return whole;
}

std::unique_ptr<faiss::Index> with_ids(std::unique_ptr<faiss::Index> index,
                                       std::span<const std::int64_t> ids) {
  KNNSEQ_ASSERT(std::cmp_equal(ids.size(), index->ntotal), "ids of other entries");
  auto map = std::make_unique<faiss::IndexIDMap2>();
  map->d = index->d;
  map->metric_type = index->metric_type;
  map->ntotal = index->ntotal;
  map->is_trained = true;
  map->id_map.assign(ids.begin(), ids.end());
  map->index = index.release();
  map->own_fields = true;
  return map;
}

std::unique_ptr<faiss::Index> make_filled_index(const Codebook& codebook,
                                                std::span<const std::uint8_t> codes) {
  const IndexSpec& spec = codebook.spec;
  KNNSEQ_ASSERT(!spec.has_lists(), "entries of an index with lists");
  const auto n = std::ssize(codes) / spec.code_bytes();
  if (spec.storage == Storage::flat || spec.storage == Storage::hnsw) {
    const OneThread one_thread;
    auto index = make_faiss_index(codebook);
    if (n > 0) index->add(n, reinterpret_cast<const float*>(codes.data()));
    return index;
  }
  auto index = make_flat_quantizer(codebook);
  index->codes.resize(codes.size());  // no std::vector any more from faiss 1.11 on
  std::ranges::copy(codes, index->codes.data());
  index->ntotal = n;
  if (spec.storage == Storage::pq) return index;
  return std::make_unique<faiss::IndexPQFastScan>(*index);
}

at::Tensor fast_scan_codes(const Codebook& codebook, const at::Tensor& x) {
  const auto quantizer = make_flat_quantizer(codebook);
  const at::Tensor vectors = x.contiguous();
  at::Tensor codes = at::empty({x.size(0), codebook.spec.code_bytes()}, at::kByte);
  quantizer->pq.compute_codes(vectors.const_data_ptr<float>(),
                              codes.mutable_data_ptr<std::uint8_t>(), x.size(0));
  return codes;
}

}  // namespace knnseq::index
