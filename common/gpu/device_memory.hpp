// What libtorch has taken of a GPU's memory, and what is left.
#pragma once

#include <cstdint>

namespace knnseq::gpu {

/// Bytes available to new tensors of this process on a CUDA device: the device's free memory, and
/// what libtorch keeps in reserve.
std::int64_t free_device_bytes(int index);

/// The most bytes that tensors of this process have held at once on a CUDA device.
std::int64_t peak_device_bytes(int index);

}  // namespace knnseq::gpu
