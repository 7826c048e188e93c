// Which kernels of IvfPqScan there are.
#pragma once

#include <vector>

#include "index/simd/scan_kernel.hpp"

namespace knnseq::index {

/// Those that this processor can run, the fastest first; the last is the baseline.
std::vector<const ScanKernel*> scan_kernels_of_this_cpu();

}  // namespace knnseq::index
