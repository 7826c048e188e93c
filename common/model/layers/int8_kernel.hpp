// Rounding to 8 bits on CPUs.
#pragma once

#include <cstdint>
#include <vector>

#include "core/instruction_set.hpp"

namespace knnseq::model {

struct Int8Kernel {
  core::InstructionSet set;
  /// The largest absolute value; 0 of none.
  float (*largest)(const float* values, std::int64_t count);
  /// The whole number nearest to each value · factor, of ties the even one, plus 128. Products are
  /// within ±127.5.
  void (*round)(const float* values, std::int64_t count, float factor, std::uint8_t* out);
};

/// int8_kernel.cpp, compiled for this instruction set.
template <core::InstructionSet set>
Int8Kernel int8_kernel();

}  // namespace knnseq::model
