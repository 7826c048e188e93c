// Which of two forms of the same operation computes.
#pragma once

#include <ATen/ATen.h>

namespace knnseq::index {

enum class Forms {
  kernels,  ///< loops of ours over the host's memory, for the instruction set of this CPU
  tensors   ///< operators of libtorch and kernels of the device, on tensors of any device
};

/// What is used on a device. The tensor forms run on CPUs too, more slowly: tests compare them with
/// the kernels there.
inline Forms forms_on(at::Device device) {
  return device.is_cpu() ? Forms::kernels : Forms::tensors;
}

}  // namespace knnseq::index
