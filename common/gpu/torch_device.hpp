// A rank's device as libtorch names it.
#pragma once

#include <c10/core/Device.h>

#include "gpu/device.hpp"

namespace knnseq::gpu {

inline c10::Device torch_device(const Device& device) {
  if (!device.cuda) return c10::Device(c10::DeviceType::CPU);
  return {c10::DeviceType::CUDA, static_cast<c10::DeviceIndex>(device.index)};
}

}  // namespace knnseq::gpu
