// Device collectives of NCCL, from one GPU's memory to another's. In a build without CUDA there are
// none.
#pragma once

#include <memory>
#include <string>

#include "gpu/device_collectives.hpp"

namespace knnseq::gpu {

/// Each rank gives a GPU of its own. Operations are polled, never waited on blindly: one that
/// fails, or takes longer than the deadline (0: none), ends the group on this rank and throws
/// core::SystemError with the operation and the rank. `comm` starts the group and must outlive it.
/// Collective. Throws core::SystemError.
std::unique_ptr<DeviceCollectives> make_nccl_collectives(comm::Communicator& comm,
                                                         const Device& device,
                                                         double timeout_seconds);

/// The version of NCCL at run time, "2.28.9"; empty in a build without it.
std::string nccl_version();

}  // namespace knnseq::gpu
