// What libtorch has taken of a GPU's memory, and what is left.
#pragma once

#include <cstdint>

namespace knnseq::gpu {

/// Bytes that new tensors of this process can have on a CUDA device: what the device has free, and
/// what libtorch keeps for later.
std::int64_t free_device_bytes(int index);

/// Most bytes that tensors of this process held at once on a CUDA device.
std::int64_t peak_device_bytes(int index);

}  // namespace knnseq::gpu
