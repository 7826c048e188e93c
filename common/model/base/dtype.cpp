#include "model/base/dtype.hpp"

#include "core/error.hpp"

namespace knnseq::model {

at::ScalarType parse_dtype(const std::string& name, at::Device device) {
  if (device.is_cuda()) {
    if (name == "bf16" || name == "auto") return at::kBFloat16;
    if (name == "fp16") return at::kHalf;
    if (name == "fp32") return at::kFloat;
    if (name == "int8") {
      throw core::InputError("dtype",
                             "int8 is for CPUs; on GPUs bf16, fp16 and fp32 are supported");
    }
    throw core::InputError("dtype", "'" + name + "' is not known; bf16, fp16 and fp32 are");
  }
  const bool has_bf16 = __builtin_cpu_supports("avx512bf16") != 0;  // those with AMX have it too
  if (name == "fp32" || name == "auto") return at::kFloat;
  if (name == "bf16" && has_bf16) return at::kBFloat16;
  if (name == "int8") return at::kChar;
  const std::string supported = has_bf16 ? "fp32, bf16 and int8 are" : "fp32 and int8 are";
  if (name == "bf16") {
    throw core::InputError("dtype",
                           "this CPU has neither AMX nor AVX512-BF16, without which bf16 "
                           "is slower than fp32; " +
                               supported + " supported here");
  }
  if (name == "fp16") {
    throw core::InputError("dtype",
                           "CPUs do not compute well in fp16; " + supported + " supported here");
  }
  throw core::InputError("dtype", "'" + name + "' is not known; " + supported + " supported here");
}

}  // namespace knnseq::model
