// The ranks that train together, and where each of them computes.
#pragma once

#include <ATen/ATen.h>

#include "comm/communicator.hpp"
#include "gpu/compute_path.hpp"
#include "gpu/device_collectives.hpp"

namespace knnseq::index {

/// Tensors of a training lie on `device` unless said otherwise; what is small, or is done by one
/// rank, goes through the host.
struct TrainContext {
  /// On CPUs. Implicit: most callers have no more than a communicator.
  TrainContext(comm::Communicator& ranks) : comm(ranks) {}
  /// On devices. `device_collectives` must live on.
  TrainContext(comm::Communicator& ranks, at::Device where,
               gpu::DeviceCollectives& device_collectives)
      : comm(ranks),
        device(where),
        collectives(&device_collectives),
        path(gpu::compute_path_on(where)) {}

  comm::Communicator& comm;
  at::Device device = at::kCPU;
  gpu::DeviceCollectives* collectives = nullptr;  ///< needed by gpu::ComputePath::torch
  gpu::ComputePath path = gpu::ComputePath::cpu;  ///< others than the device's own are for tests

  bool uses_tensors() const { return path == gpu::ComputePath::torch; }
  /// Sums an int64 tensor over the ranks, in place. Collective.
  void sum(const at::Tensor& values) const;
};

}  // namespace knnseq::index
