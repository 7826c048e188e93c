// The ranks that train together, and where each of them computes.
#pragma once

#include <ATen/ATen.h>

#include "comm/communicator.hpp"
#include "gpu/collectives.hpp"
#include "gpu/compute_path.hpp"

namespace knnseq::index {

/// Tensors of a training lie on `device` unless said otherwise; what is small, or is done by one
/// rank, goes through the host.
struct TrainContext {
  /// On CPUs. Implicit: most callers have no more than a communicator.
  TrainContext(comm::Communicator& ranks) : comm(ranks) {}
  /// On devices. `group` must live on.
  TrainContext(comm::Communicator& ranks, at::Device where, gpu::Collectives& group)
      : comm(ranks), device(where), collectives(&group), path(gpu::compute_path_on(where)) {}

  comm::Communicator& comm;
  at::Device device = at::kCPU;
  gpu::Collectives* collectives = nullptr;        ///< needed by gpu::ComputePath::torch
  gpu::ComputePath path = gpu::ComputePath::cpu;  ///< other than the device's own: for tests

  /// Sums an int64 tensor over the ranks, in place. Collective.
  void sum(const at::Tensor& values) const;
};

}  // namespace knnseq::index
