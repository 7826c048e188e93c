// For kernels: vectors as wide as a register of the instruction set that they are compiled for.
#pragma once

#include <cstdint>

#include "core/compiled_for.hpp"

namespace knnseq::core {

namespace {

using Floats [[gnu::vector_size(float_lanes * sizeof(float))]] = float;
using Ints [[gnu::vector_size(float_lanes * sizeof(std::int32_t))]] = std::int32_t;

[[gnu::always_inline]] inline Floats load(const float* from) {
  Floats values;
  __builtin_memcpy(&values, from, sizeof(values));
  return values;
}

[[gnu::always_inline]] inline void store(Floats values, float* to) {
  __builtin_memcpy(to, &values, sizeof(values));
}

}  // namespace

}  // namespace knnseq::core
