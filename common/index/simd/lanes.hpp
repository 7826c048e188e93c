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

/// Rounds towards zero. Values are in [0, 256).
[[gnu::always_inline]] inline Bytes to_bytes(Floats values) {
  const Ints whole = __builtin_convertvector(values, Ints);
#if defined(__AVX2__) && !defined(__AVX512F__)  // GCC takes such a conversion apart
  using AllBytes [[gnu::vector_size(lanes * sizeof(std::int32_t))]] = std::uint8_t;
  const auto all = reinterpret_cast<AllBytes>(whole);
  return __builtin_shufflevector(all, all, 0, 4, 8, 12, 16, 20, 24, 28);
#else
  return __builtin_convertvector(whole, Bytes);
#endif
}

}  // namespace

}  // namespace knnseq::index
