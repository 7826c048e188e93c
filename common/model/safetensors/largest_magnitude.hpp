// Whether numbers are finite, at the speed of memory.
#pragma once

#include <cstddef>
#include <span>

#include <ATen/core/ScalarType.h>

namespace knnseq::model {

/// The largest magnitude of the numbers (fp64, fp32, fp16 or bf16, unaligned); NaN if one of
/// them is NaN, 0 if there are none.
double largest_magnitude(std::span<const std::byte> numbers, at::ScalarType dtype);

}  // namespace knnseq::model
