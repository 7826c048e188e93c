// Means and second moments of the sample, summed exactly over blocks and ranks.
#pragma once

#include <ATen/ATen.h>

#include "index/sample/sample_blocks.hpp"
#include "index/sample/train_context.hpp"

namespace knnseq::index {

/// Mean of each column, fp32 [dim], on the context's device. Collective. Throws core::InputError on
/// all ranks if the sample is not finite.
at::Tensor column_means(const TrainContext& context, const SampleBlocks& sample);

/// Mean of (x − means)ᵀ (x − means) over all rows, fp64 [dim, dim], on the host. Collective; throws
/// likewise.
at::Tensor second_moments(const TrainContext& context, const SampleBlocks& sample,
                          const at::Tensor& means);

}  // namespace knnseq::index
