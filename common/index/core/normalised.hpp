// Vectors of length 1.
#pragma once

#include <ATen/ATen.h>

namespace knnseq::index {

/// Each row of x [n, d] divided by its length, fp32; rows of zeros stay.
at::Tensor normalised(const at::Tensor& x);

}  // namespace knnseq::index
