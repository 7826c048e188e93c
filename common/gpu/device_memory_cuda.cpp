#include <c10/cuda/CUDACachingAllocator.h>

#include "gpu/cuda_check.hpp"
#include "gpu/device.hpp"
#include "gpu/device_memory.hpp"

namespace knnseq::gpu {

namespace {

constexpr auto all_pools = 0;

auto stats_of(int index) {
  return c10::cuda::CUDACachingAllocator::getDeviceStats(static_cast<c10::DeviceIndex>(index));
}

}  // namespace

std::int64_t free_device_bytes(int index) {
  use_device(index);
  std::size_t free_bytes = 0;
  std::size_t all_bytes = 0;
  cuda_check(cudaMemGetInfo(&free_bytes, &all_bytes), "cudaMemGetInfo");
  auto result = static_cast<std::int64_t>(free_bytes);
  if (!c10::cuda::CUDACachingAllocator::get()->initialized()) return result;  // no tensor so far
  const auto stats = stats_of(index);
  result += stats.reserved_bytes[all_pools].current - stats.allocated_bytes[all_pools].current;
  return result;
}

std::int64_t peak_device_bytes(int index) {
  return stats_of(index).allocated_bytes[all_pools].peak;
}

}  // namespace knnseq::gpu
