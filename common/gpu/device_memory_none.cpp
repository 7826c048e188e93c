// What a build without CUDA says of a GPU's memory.
#include "core/types.hpp"
#include "gpu/device_memory.hpp"

namespace knnseq::gpu {

std::int64_t free_device_bytes(int /*index*/) {
  KNNSEQ_ASSERT(false, "this build knows no devices");
  return 0;
}

std::int64_t peak_device_bytes(int /*index*/) {
  KNNSEQ_ASSERT(false, "this build knows no devices");
  return 0;
}

}  // namespace knnseq::gpu
