// A small decomposition that one rank computes for all.
#pragma once

#include <functional>

#include <ATen/ATen.h>

#include "comm/communicator.hpp"

namespace knnseq::index {

/// Runs `compute` on rank 0 and broadcasts its result, an fp32 tensor of this shape: decompositions
/// round differently on different machines. Collective; a failure is thrown on all ranks.
at::Tensor compute_on_root(comm::Communicator& comm, at::IntArrayRef shape,
                           const std::function<at::Tensor()>& compute);

}  // namespace knnseq::index
