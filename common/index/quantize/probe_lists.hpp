// The lists that queries visit: those of the nearest centroids, in order. probe_lists_cpu.cpp finds
// them by loops over the host's memory, probe_lists_torch.cpp by tensors of any device.
#pragma once

#include <ATen/ATen.h>

#include "index/core/probes.hpp"
#include "index/faiss_io/codebook.hpp"
#include "index/quantize/nearest_centroids.hpp"

namespace knnseq::index {

/// The `width` ≤ k nearest of the centroids to each query [q, d] fp32, contiguous, by (distance,
/// list), nearest first; all on one device. A shortlist by matrix products is measured again: by
/// ComputePath::cpu distances are plain_distance()s in fp32, by torch they are summed in fp64 and
/// rounded.
Probes probe_lists_cpu(const CentroidScan& centroids, const at::Tensor& queries, std::int64_t width,
                       Metric metric);
Probes probe_lists_torch(const CentroidScan& centroids, const at::Tensor& queries,
                         std::int64_t width, Metric metric);
inline Probes probe_lists(const CentroidScan& centroids, const at::Tensor& queries,
                          std::int64_t width, Metric metric) {
  return (centroids.path() == gpu::ComputePath::cpu ? probe_lists_cpu : probe_lists_torch)(
      centroids, queries, width, metric);
}

/// The same by the codebook's graph over its centroids, which may miss some; on the CPU.
/// Throws core::InputError if the codebook has none.
Probes probe_graph(const Codebook& codebook, const at::Tensor& queries, std::int64_t width);

}  // namespace knnseq::index
