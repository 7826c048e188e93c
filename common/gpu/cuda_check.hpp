// The one place where return codes of the CUDA runtime become exceptions.
#pragma once

#include <string>

#include <cuda_runtime_api.h>

#include "core/error.hpp"

namespace knnseq::gpu {

/// Throws core::SystemError naming the call if it failed.
inline void cuda_check(cudaError_t code, const char* call) {
  if (code == cudaSuccess) return;
  throw core::SystemError(std::string(call) + ": " + cudaGetErrorString(code));
}

}  // namespace knnseq::gpu
