// Principal component analysis of the sample.
#pragma once

#include <cstdint>

#include <ATen/ATen.h>

#include "comm/communicator.hpp"
#include "index/sample_blocks.hpp"

namespace knnseq::index {

struct Pca {
  at::Tensor rotation;  ///< fp32 [d_out, d_in], rows by descending variance
  at::Tensor bias;      ///< fp32 [d_out], −rotation · mean
};

/// The d_out directions of largest variance (eigenvectors of the covariance, on rank 0; the largest
/// component of each is positive). Not whitened. The result does not depend on the number of ranks.
/// Collective. Throws core::InputError on all ranks where the sample is not finite.
Pca train_pca(comm::Communicator& comm, const SampleBlocks& sample, std::int64_t d_out);

}  // namespace knnseq::index
