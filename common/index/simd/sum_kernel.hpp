// Exact sums of vectors.
#pragma once

#include <cstdint>

#include "core/instruction_set.hpp"

namespace knnseq::index {

/// Adds count values, rounded as FixedPoint(scale) does, to as many sums.
using SumKernel = void (*)(const float* values, std::int64_t count, double scale,
                           std::int64_t* sums);

/// sum_kernel.cpp, compiled for this instruction set.
template <core::InstructionSet set>
SumKernel sum_kernel();

}  // namespace knnseq::index
