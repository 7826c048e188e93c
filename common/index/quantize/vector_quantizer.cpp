#include "index/quantize/vector_quantizer.hpp"

#include <algorithm>

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include "core/error.hpp"
#include "index/core/normalised.hpp"
#include "index/faiss_io/faiss_codebook.hpp"
#include "index/quantize/probe_lists.hpp"

namespace knnseq::index {

namespace {

constexpr std::int64_t rows_a_thread = 4096;  ///< that are encoded together

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
  if (spec.storage == Storage::pq) quantizer_.emplace(codebook.pq_centroids, device, path);
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
    quantizer_->encode(vectors.contiguous(), codes.narrow(0, first, rows));
  }
  return codes;
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
    const Probes found = probe_graph(codebook_, queries.cpu(), width);
    return {found.lists.to(device_), found.distances.to(device_)};
  }
  return probe_lists(*coarse_, queries, width, codebook_.spec.metric);
}

}  // namespace knnseq::index
