// Means and second moments of the sample, summed exactly over blocks and ranks.
#pragma once

#include <ATen/ATen.h>

#include "comm/communicator.hpp"
#include "index/sample_blocks.hpp"

namespace knnseq::index {

/// Mean of each column, fp32 [dim]. Collective. Throws core::InputError on all ranks where the
/// sample is not finite.
at::Tensor column_means(comm::Communicator& comm, const SampleBlocks& sample);

/// Mean of (x − means)ᵀ (x − means) over all rows, fp64 [dim, dim]. Collective; throws likewise.
at::Tensor second_moments(comm::Communicator& comm, const SampleBlocks& sample,
                          const at::Tensor& means);

}  // namespace knnseq::index
