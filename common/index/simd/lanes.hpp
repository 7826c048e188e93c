// Vectors as wide as a register of the instruction set that a kernel is compiled for.
#pragma once

#include <cstdint>

#include "core/compiled_for.hpp"

namespace knnseq::index {

namespace {

constexpr int lanes = core::float_lanes;
using Floats [[gnu::vector_size(lanes * sizeof(float))]] = float;
using Ints [[gnu::vector_size(lanes * sizeof(std::int32_t))]] = std::int32_t;
using Bytes [[gnu::vector_size(lanes)]] = std::uint8_t;

[[gnu::always_inline]] inline Floats load(const float* from) {
  Floats value;
  __builtin_memcpy(&value, from, sizeof(value));
  return value;
}

}  // namespace

}  // namespace knnseq::index
