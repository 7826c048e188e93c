// Fixed-point numbers by libtorch's operators, on any device.
#pragma once

#include <ATen/ATen.h>

#include "index/sample/fixed_point_sum.hpp"

namespace knnseq::index {

/// What FixedPoint::round() makes of each value, int64: the same integers on every device (both
/// round halves to even).
at::Tensor round_tensor(const FixedPoint& fixed_point, const at::Tensor& values);

/// What FixedPoint::value() makes of each sum, fp64.
at::Tensor value_tensor(const FixedPoint& fixed_point, const at::Tensor& sums);

}  // namespace knnseq::index
