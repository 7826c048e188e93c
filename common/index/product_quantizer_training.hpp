// Distributed training of a product quantiser (Jégou et al., PAMI 2011), and its codes.
#pragma once

#include <ATen/ATen.h>

#include "comm/communicator.hpp"
#include "index/kmeans.hpp"
#include "index/sample_blocks.hpp"

namespace knnseq::index {

/// 256 rows of the sample, drawn by hash and cut into m parts: centroids [m, 256, dsub].
/// Collective.
Clustering start_product_quantizer(comm::Communicator& comm, const SampleBlocks& sample,
                                   std::int64_t m, std::uint64_t seed);

/// k-means of all m sub-vectors side by side, from `start` until options.iterations are done; with
/// the properties of kmeans(). The error is that of whole vectors. Collective.
Clustering train_product_quantizer(comm::Communicator& comm, const SampleBlocks& sample,
                                   const KmeansOptions& options, Clustering start,
                                   const AfterIteration& after_iteration = {});

/// Codes, uint8 [n, m], of x fp32 [n, m * dsub] under centroids [m, 256, dsub].
at::Tensor pq_encode(const at::Tensor& x, const at::Tensor& centroids);

/// The vectors, fp32 [n, m * dsub], that codes stand for.
at::Tensor pq_decode(const at::Tensor& codes, const at::Tensor& centroids);

}  // namespace knnseq::index
