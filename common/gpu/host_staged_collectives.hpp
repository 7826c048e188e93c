// Device collectives that go through the host's memory: for CPUs, and for ranks that share a GPU.
#pragma once

#include <memory>

#include "gpu/device_collectives.hpp"

namespace knnseq::gpu {

/// For tensors of any device; the deadline is the communicator's. `comm` must outlive it.
std::unique_ptr<DeviceCollectives> make_host_staged_collectives(comm::Communicator& comm);

}  // namespace knnseq::gpu
