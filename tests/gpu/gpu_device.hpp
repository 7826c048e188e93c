#pragma once

#include <c10/core/Device.h>

/// The GPU that these tests use.
inline const c10::Device gpu_device(c10::kCUDA, 0);
