// Distributed training of a product quantiser (Jégou et al., PAMI 2011).
#pragma once

#include <vector>

#include <ATen/ATen.h>

#include "index/sample/sample_blocks.hpp"
#include "index/sample/train_context.hpp"
#include "index/train/lloyd.hpp"

namespace knnseq::index {

struct QuantizerOptions {
  std::int64_t m = 0;            ///< sub-vectors
  std::int64_t centroids = 256;  ///< per sub-vector, at most 256
  std::int64_t iterations = 25;
  std::uint64_t seed = 1234;
};

/// A sample, fp32, on the context's device, and its scale_of().
struct ScaledSample {
  const SampleBlocks& rows;
  const SampleScale& scale;
};

/// Rows of the sample, drawn by hash and cut into m parts: centroids [m, centroids, dsub], on the
/// context's device. Collective.
Clustering start_product_quantizer(const TrainContext& context, const SampleBlocks& sample,
                                   const QuantizerOptions& options);

/// k-means of all m sub-vectors side by side, from `start` until options.iterations are done; with
/// the properties of lloyd(). The error is that of whole vectors. If `codes` is given, it gets
/// the codes of this rank's blocks, uint8 [rows, m], that the last update was made from.
/// Collective.
Clustering train_product_quantizer(const TrainContext& context, const ScaledSample& sample,
                                   const QuantizerOptions& options, Clustering start,
                                   const AfterIteration& after_iteration = {},
                                   std::vector<at::Tensor>* codes = nullptr);

}  // namespace knnseq::index
