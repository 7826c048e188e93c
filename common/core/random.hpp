// Seeded random numbers that are the same on every rank, compiler and machine.
#pragma once

#include "core/hash.hpp"

namespace knnseq::core {

/// splitmix64 sequence. Equal seeds give equal sequences everywhere.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    const std::uint64_t output = mix64(state_);
    state_ += 0x9e3779b97f4a7c15u;
    return output;
  }

  /// Uniform in [0, 1).
  double uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

  /// Uniform integer in [0, bound), bound > 0.
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }

 private:
  std::uint64_t state_;
};

}  // namespace knnseq::core
