// Which implementation of an operation computes.
#pragma once

#include <ATen/ATen.h>

namespace knnseq::gpu {

/// An operation x that is implemented twice has one header, x.hpp, and its implementations in
/// x_cpu.cpp (x.cpp where most is shared) and x_torch.cpp: docs/internals/gpu.md.
enum class ComputePath {
  cpu,   ///< loops of ours over the host's memory, for the instruction set of this CPU
  torch  ///< operators of libtorch on tensors of any device, with kernels of ours on CUDA devices
};

/// The path that computes on a device. The torch path runs on CPUs too, more slowly: tests compare
/// it with the cpu path there.
inline ComputePath compute_path_on(at::Device device) {
  return device.is_cpu() ? ComputePath::cpu : ComputePath::torch;
}

}  // namespace knnseq::gpu
