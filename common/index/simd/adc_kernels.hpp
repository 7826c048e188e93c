// Which kernels of asymmetric distance computation there are.
#pragma once

#include <vector>

#include "index/simd/adc_kernel.hpp"

namespace knnseq::index {

/// Those that this processor can run, the fastest first; the last is the baseline.
std::vector<const AdcKernel*> adc_kernels_of_this_cpu();

}  // namespace knnseq::index
