// The CUDA devices of this machine. In a build without CUDA there are none.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace knnseq::gpu {

/// Where a rank computes.
struct Device {
  bool cuda = false;
  int index = 0;  ///< among the devices this process sees; meaningless on the CPU

  std::string name() const { return cuda ? "cuda" : "cpu"; }
};

/// One CUDA device that this process sees.
struct DeviceFacts {
  int index = 0;
  std::string name = {};
  std::string uuid = {};  ///< identifies the device in every process
  int major = 0;          ///< compute capability
  int minor = 0;
  int multiprocessors = 0;
  std::int64_t memory_bytes = 0;
  std::int64_t free_bytes = 0;
};

/// Whether this program was built with -DKNNSEQ_CUDA=ON (knnseq-cuda).
bool built_with_cuda();

/// The devices visible to this process (CUDA_VISIBLE_DEVICES); none without a driver.
/// Throws core::SystemError if there is a driver but it does not answer.
std::vector<DeviceFacts> visible_devices();

/// Makes a device the current one of this process. Throws core::SystemError.
void use_device(int index);

/// libtorch's current stream (a cudaStream_t) on a CUDA device, −1: the current one.
void* current_stream(int index = -1);

}  // namespace knnseq::gpu
