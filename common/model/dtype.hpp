// Which number types this machine computes matrix products in.
#pragma once

#include <string>

#include <c10/core/ScalarType.h>

namespace knnseq::model {

/// "fp32"; "bf16" where the CPU has instructions for it. Throws InputError naming the alternatives
/// otherwise: without them it would be slower than fp32 and less exact.
at::ScalarType parse_dtype(const std::string& name);

}  // namespace knnseq::model
