// Interpolation of the two distributions where they are: on any device, without asking the host.
#pragma once

#include <ATen/ATen.h>

#include "retrieval/mixing/knn_options.hpp"

namespace knnseq::retrieval {

/// As interpolate() (log_probs [q, V] fp32, contiguous, changed in place; scores fp32 [q, k], ids
/// int64 [q, k]; all on one device), by operators on tensors alone, which a GPU runs one after
/// another while the host goes on. Sums have a fixed order: the same values give the same bits.
/// Works on the touched tokens only; memory: [q, k, min(k, 64)].
///
/// Returns the greatest token that a usable neighbour has, int64 [] on the device; −1 where there
/// is none. Tokens that are not in the vocabulary spoil their query's distribution, so the caller
/// must look at it before results are used: Interpolator does.
at::Tensor interpolate_tensors(at::Tensor& log_probs, const at::Tensor& scores,
                               const at::Tensor& ids, const KnnOptions& options);

}  // namespace knnseq::retrieval
