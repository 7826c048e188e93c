// How the scan's kernels are launched, for the device and its emulation alike.
#pragma once

#include <cstdint>

#include "gpu/ivfpq_scan.hpp"

namespace knnseq::gpu {

/// Queues a search on a CUDA stream (a cudaStream_t); all of the job's memory is the device's.
/// There must be queries and probes. Throws core::SystemError. Only in a build with CUDA.
void launch_ivfpq_scan(const ScanJob& job, void* stream);

}  // namespace knnseq::gpu
