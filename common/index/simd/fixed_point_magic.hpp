// Rounding by addition, shared by FixedPoint and the kernels.
#pragma once

#include <cstdint>

namespace knnseq::index {

// Adding 1.5·2^52 leaves the rounded integer in the mantissa; unlike a conversion instruction this
// vectorises everywhere. Magnitudes must stay below 2^51.
inline constexpr double fixed_point_magic = 0x1.8p52;
inline constexpr std::int64_t fixed_point_magic_bits =
    __builtin_bit_cast(std::int64_t, fixed_point_magic);

/// Always inlined: it is compiled for several instruction sets.
[[gnu::always_inline]] constexpr std::int64_t round_to_fixed_point(double value, double scale) {
  return __builtin_bit_cast(std::int64_t, value * scale + fixed_point_magic) -
         fixed_point_magic_bits;
}

}  // namespace knnseq::index
