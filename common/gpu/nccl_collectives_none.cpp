// What a build without CUDA says of NCCL.
#include "core/error.hpp"
#include "gpu/nccl_collectives.hpp"

namespace knnseq::gpu {

std::unique_ptr<DeviceCollectives> make_nccl_collectives(comm::Communicator& /*comm*/,
                                                         const Device& /*device*/,
                                                         double /*timeout_seconds*/) {
  core::assertion_failed("built_with_cuda()", __FILE__, __LINE__, "this build knows no devices");
}

std::string nccl_version() { return {}; }

}  // namespace knnseq::gpu
