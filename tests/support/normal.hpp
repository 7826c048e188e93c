// Seeded normal numbers that are the same on every machine.
#pragma once

#include <cmath>
#include <numbers>

#include "core/random.hpp"

namespace knnseq::test {

/// Standard normal (Box–Muller).
inline double normal(core::Random& random) {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - random.uniform()));
  return radius * std::cos(2.0 * std::numbers::pi * random.uniform());
}

}  // namespace knnseq::test
