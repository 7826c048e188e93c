#include <c10/cuda/CUDACachingAllocator.h>

#include "gpu/device_memory.hpp"

namespace knnseq::gpu {

std::int64_t peak_device_bytes(int index) {
  const auto stats =
      c10::cuda::CUDACachingAllocator::getDeviceStats(static_cast<c10::DeviceIndex>(index));
  constexpr auto all_pools = 0;
  return stats.allocated_bytes[all_pools].peak;
}

}  // namespace knnseq::gpu
