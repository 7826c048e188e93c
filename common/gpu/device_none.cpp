// What a build without CUDA says of devices.
#include "core/types.hpp"
#include "gpu/device.hpp"

namespace knnseq::gpu {

bool built_with_cuda() { return false; }

std::vector<DeviceFacts> visible_devices() { return {}; }

void use_device(int /*index*/) { KNNSEQ_ASSERT(false, "this build knows no devices"); }

}  // namespace knnseq::gpu
