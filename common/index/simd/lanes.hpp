// Vectors as wide as a register of the instruction set that a kernel is compiled for.
#pragma once

#include <cstdint>

#include "core/lanes.hpp"

namespace knnseq::index {

namespace {

using core::Floats;
using core::Ints;
using core::load;

constexpr int lanes = core::float_lanes;
using Bytes [[gnu::vector_size(lanes)]] = std::uint8_t;

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
