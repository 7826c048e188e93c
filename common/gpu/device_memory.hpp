// What libtorch has taken of a GPU's memory.
#pragma once

#include <cstdint>

namespace knnseq::gpu {

/// Most bytes that tensors of this process held at once on a CUDA device.
std::int64_t peak_device_bytes(int index);

}  // namespace knnseq::gpu
