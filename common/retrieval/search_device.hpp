// Where a rank's part of the search computes.
#pragma once

#include <memory>

#include <ATen/ATen.h>

#include "gpu/collectives.hpp"

namespace knnseq::retrieval {

/// By default the CPU, with messages of the communicator. With `collectives` queries and results
/// stay tensors of the device on their whole way.
struct SearchDevice {
  at::Device device = at::kCPU;
  std::unique_ptr<gpu::Collectives> collectives = {};
};

}  // namespace knnseq::retrieval
