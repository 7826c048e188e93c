// Optimised product quantisation: a rotation that suits the product quantiser.
#pragma once

#include <cstdint>
#include <functional>

#include <ATen/ATen.h>

#include "comm/communicator.hpp"
#include "index/sample_blocks.hpp"

namespace knnseq::index {

struct OpqOptions {
  std::int64_t m = 0;      ///< sub-vectors
  std::int64_t d_out = 0;  ///< width after the rotation, ≤ the sample's
  std::int64_t iterations = 25;
  std::int64_t pq_iterations = 4;         ///< of k-means, in every iteration but the first
  std::int64_t first_pq_iterations = 40;  ///< in the first
  std::uint64_t seed = 1234;
};

struct OpqState {
  at::Tensor rotation;          ///< fp32 [d_out, d_in], orthonormal rows
  at::Tensor pq_centroids;      ///< fp32 [m, 256, dsub], where the next k-means starts
  std::int64_t iterations = 0;  ///< done so far
  double mean_squared_error = 0;
};

/// The parametric solution (Ge et al., section 3.2), no iteration done: the d_out directions of
/// largest variance, dealt to the sub-vectors so that the products of their variances are balanced.
/// Collective. Throws core::InputError on all ranks where the sample is not finite.
OpqState start_opq(comm::Communicator& comm, const SampleBlocks& sample, const OpqOptions& options);

/// Non-parametric OPQ (Ge et al., CVPR 2013, section 3.1) as in faiss's OPQMatrix: a product
/// quantiser of the rotated, centred sample alternates with the rotation that brings the sample
/// nearest to its reconstruction (orthogonal Procrustes problem; SVD on rank 0). Goes on from
/// `start`; the result does not depend on the number of ranks or on interruptions. Collective.
/// Throws core::InputError on all ranks where the sample is not finite.
OpqState train_opq(comm::Communicator& comm, const SampleBlocks& sample, const OpqOptions& options,
                   OpqState start,
                   const std::function<void(const OpqState&)>& after_iteration = {});

}  // namespace knnseq::index
