// All kernels of this module, for the instruction set of this CPU: the one place where they are
// chosen.
#pragma once

#include <span>

#include "index/simd/adc_kernel.hpp"
#include "index/simd/nearest_kernel.hpp"
#include "index/simd/pq_kernel.hpp"
#include "index/simd/scan_kernel.hpp"
#include "index/simd/sum_kernel.hpp"

namespace knnseq::index {

/// A kernel x has its contract in x_kernel.hpp and its loops in x_kernel.cpp, which is compiled
/// once for each instruction set.
struct SimdKernels {
  core::InstructionSet set = core::InstructionSet::baseline;
  PqKernel pq = nullptr;
  NearestKernel nearest = {};
  SumKernel sum = nullptr;
  ScanKernel scan = {};
  AdcKernel adc = {};
};

/// For each instruction set that this CPU can run, the best first; the last is the baseline.
std::span<const SimdKernels> simd_kernels_of_this_cpu();

/// The first of them.
const SimdKernels& simd_kernels();

}  // namespace knnseq::index
