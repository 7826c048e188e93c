// Means and second moments of the sample, summed exactly over blocks and ranks.
#pragma once

#include <vector>

#include <ATen/ATen.h>

#include "comm/communicator.hpp"
#include "index/sample_blocks.hpp"

namespace knnseq::index {

/// Mean of each column, fp32 [dim]. Collective. Throws core::InputError on all ranks where the
/// sample is not finite.
at::Tensor column_means(comm::Communicator& comm, const SampleBlocks& sample);

/// The sample with `means` subtracted from every row, fp32. Not collective.
SampleBlocks centred(const SampleBlocks& sample, const at::Tensor& means);

/// Σ leftᵀ right over all blocks, fp64 [left.dim, right.dim]; both have the same rows in the same
/// blocks. A block's product is fp32. Collective.
at::Tensor cross_product(comm::Communicator& comm, const SampleBlocks& left,
                         const SampleBlocks& right);

}  // namespace knnseq::index
