// Logarithms of softmax on CPUs.
#pragma once

#include <cstdint>

#include "core/instruction_set.hpp"

namespace knnseq::model {

struct LogSoftmaxKernel {
  core::InstructionSet set;
  /// Replaces a row of logits by their log-probs: logit − greatest − log Σ exp(logit − greatest).
  /// The sum is added up in an order that depends on `count` alone. A row with NaN or +∞, or of −∞
  /// alone, becomes NaN.
  void (*log_softmax)(float* row, std::int64_t count);
};

/// log_softmax_kernel.cpp, compiled for this instruction set.
template <core::InstructionSet set>
LogSoftmaxKernel log_softmax_kernel();

}  // namespace knnseq::model
