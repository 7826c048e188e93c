// For kernels: the exponential function of a vector register.
#pragma once

#include <cstdint>

#include "core/lanes.hpp"

namespace knnseq::model {

namespace {

using core::Floats;
using core::load;
using core::store;

/// The lanes added up one after the other.
[[gnu::always_inline]] inline float sum_of_lanes(Floats values) {
  float sum = 0.0f;
  for (int l = 0; l < core::float_lanes; ++l) sum += values[l];
  return sum;
}

/// The largest lane.
[[gnu::always_inline]] inline float largest_lane(Floats values) {
  float most = values[0];
  for (int l = 1; l < core::float_lanes; ++l) most = values[l] > most ? values[l] : most;
  return most;
}

/// e^x for x ≤ 0, within 2 ulp (Cephes' polynomial); 0 below −87.
[[gnu::always_inline]] inline Floats exponential(Floats x) {
  constexpr float rounding = 12582912.0f;  // 1.5·2²³: adding it leaves an integer in the low bits
  const Floats none = {};
  const Floats clamped = x < -87.0f ? none - 87.0f : x;
  const Floats shifted = clamped * 1.44269504088896341f + rounding;
  const Floats n = shifted - rounding;
  const Floats r = (clamped - n * 0.693359375f) + n * 2.12194440e-4f;
  Floats y = none + 1.9875691500e-4f;
  y = y * r + 1.3981999507e-3f;
  y = y * r + 8.3334519073e-3f;
  y = y * r + 4.1665795894e-2f;
  y = y * r + 1.6666665459e-1f;
  y = y * r + 5.0000001201e-1f;
  y = y * r * r + r + 1.0f;
  using Bits [[gnu::vector_size(sizeof(Floats))]] = std::uint32_t;
  const auto power = reinterpret_cast<Floats>((reinterpret_cast<Bits>(shifted) + 127u) << 23);
  return x < -87.0f ? none : y * power;
}

}  // namespace

}  // namespace knnseq::model
