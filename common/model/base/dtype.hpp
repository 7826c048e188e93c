// Which number types a device computes matrix products in.
#pragma once

#include <string>

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

namespace knnseq::model {

/// "fp32"; on GPUs "bf16" and "fp16" too, on CPUs "int8" (kChar: LinearKernel::int8, all else in
/// fp32), and "bf16" if they have instructions for it; "auto" is bf16 on GPUs and fp32 on CPUs.
/// Throws InputError naming the alternatives otherwise: without instructions a type would be slower
/// than fp32 and less exact.
at::ScalarType parse_dtype(const std::string& name, at::Device device = at::kCPU);

}  // namespace knnseq::model
