// Principal component analysis of the sample.
#pragma once

#include <cstdint>

#include <ATen/ATen.h>

#include "index/sample/sample_blocks.hpp"
#include "index/sample/train_context.hpp"

namespace knnseq::index {

/// The d_out directions of largest second moment about `means` [d_in], in descending order, fp32
/// [d_out, d_in], on the host: eigenvectors, computed on rank 0; the largest component of each is
/// positive. Whitened ones are divided by the square root of their moment. The result does not
/// depend on the number of ranks. Collective. Throws core::InputError on all ranks if the sample is
/// not finite, or has fewer than d_out directions to be whitened: moments above a millionth of the
/// largest.
at::Tensor train_pca(const TrainContext& context, const SampleBlocks& sample,
                     const at::Tensor& means, std::int64_t d_out, bool whitened);

}  // namespace knnseq::index
