// What a thread that computes beside the main one has to set for itself.
#pragma once

#include <ATen/Parallel.h>
#include <c10/core/Device.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/InferenceMode.h>

namespace knnseq::stages {

/// While it lives this thread computes as the main thread does: without gradients, with the
/// process's number of threads, on `device`.
class ComputeThread {
 public:
  explicit ComputeThread(c10::Device device) {
    at::init_num_threads();
    if (!device.is_cpu()) guard_.reset_device(device);
  }

 private:
  c10::InferenceMode no_gradients_;
  c10::OptionalDeviceGuard guard_;
};

}  // namespace knnseq::stages
