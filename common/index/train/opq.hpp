// Optimised product quantisation: a rotation that suits the product quantiser.
#pragma once

#include <cstdint>
#include <functional>

#include <ATen/ATen.h>

#include "index/sample/sample_blocks.hpp"
#include "index/sample/train_context.hpp"

namespace knnseq::index {

struct OpqOptions {
  std::int64_t m = 0;      ///< sub-vectors
  std::int64_t d_out = 0;  ///< width after the rotation, ≤ the sample's
  std::int64_t centroids = 256;
  std::int64_t iterations = 25;           ///< at most
  std::int64_t pq_iterations = 2;         ///< of k-means, in every iteration but the first
  std::int64_t first_pq_iterations = 10;  ///< in the first
  double tolerance = 0;  ///< done when the error falls by less than this share of itself
  std::uint64_t seed = 1234;
};

struct OpqState {
  at::Tensor rotation;      ///< fp32 [d_out, d_in], orthonormal rows; on the host
  at::Tensor pq_centroids;  ///< fp32 [m, centroids, dsub], where the next k-means starts; likewise
  std::int64_t iterations = 0;    ///< done so far
  double mean_squared_error = 0;  ///< of the quantiser in the last of them
  bool converged = false;         ///< the error no longer falls by the tolerance
};

/// The parametric solution (Ge et al., section 3.2), no iteration done: the d_out directions of
/// largest second moment about `means` [d_in], distributed over the sub-vectors so that the
/// products of their moments are balanced. Collective. Throws core::InputError on all ranks where
/// the sample is not finite.
OpqState start_opq(const TrainContext& context, const SampleBlocks& sample, const at::Tensor& means,
                   const OpqOptions& options);

/// Non-parametric OPQ (Ge et al., CVPR 2013, section 3.1) as in faiss's OPQMatrix: a product
/// quantiser of the rotated sample less its means alternates with the rotation that brings it
/// nearest to its reconstruction (orthogonal Procrustes problem; SVD on rank 0). Unlike faiss's,
/// the rotation stays in the subspace that it starts in: the reconstruction is correlated with the
/// rotated sample and not with the whole one. Resumes from `start` until it has converged or
/// options.iterations are done; the result does not depend on the number of ranks or on
/// interruptions. Beside the sample, which lies on the context's device, it holds a rotated copy.
/// Collective.
/// Throws core::InputError on all ranks if the sample is not finite.
OpqState train_opq(const TrainContext& context, const SampleBlocks& sample, const at::Tensor& means,
                   const OpqOptions& options, OpqState start,
                   const std::function<void(const OpqState&)>& after_iteration = {});

}  // namespace knnseq::index
