#include <cstddef>

#include <c10/cuda/CUDAStream.h>
#include <fmt/format.h>

#include "gpu/cuda_check.hpp"
#include "gpu/device.hpp"

namespace knnseq::gpu {

namespace {

std::string to_hex(const cudaUUID_t& uuid) {
  std::string text;
  for (const char byte : uuid.bytes)
    text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return text;
}

}  // namespace

bool built_with_cuda() { return true; }

std::vector<DeviceFacts> visible_devices() {
  int count = 0;
  const auto code = cudaGetDeviceCount(&count);
  if (code == cudaErrorNoDevice || code == cudaErrorInsufficientDriver) return {};
  cuda_check(code, "cudaGetDeviceCount");
  int before = 0;
  cuda_check(cudaGetDevice(&before), "cudaGetDevice");
  std::vector<DeviceFacts> devices;
  for (int i = 0; i < count; ++i) {
    cudaDeviceProp properties;
    cuda_check(cudaGetDeviceProperties(&properties, i), "cudaGetDeviceProperties");
    cuda_check(cudaSetDevice(i), "cudaSetDevice");
    std::size_t free_bytes = 0;
    std::size_t all_bytes = 0;
    cuda_check(cudaMemGetInfo(&free_bytes, &all_bytes), "cudaMemGetInfo");
    devices.push_back({i, properties.name, to_hex(properties.uuid), properties.major,
                       properties.minor, properties.multiProcessorCount,
                       static_cast<std::int64_t>(all_bytes),
                       static_cast<std::int64_t>(free_bytes)});
  }
  cuda_check(cudaSetDevice(before), "cudaSetDevice");
  return devices;
}

void use_device(int index) { cuda_check(cudaSetDevice(index), "cudaSetDevice"); }

void* current_stream(int index) {
  return c10::cuda::getCurrentCUDAStream(static_cast<c10::DeviceIndex>(index)).stream();
}

}  // namespace knnseq::gpu
