// Layer normalisation over the last dimension.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/layer_norm.h>

namespace knnseq::model {

struct LayerNorm {
  at::Tensor weight;  ///< [d] fp32, or on GPUs as the input; undefined: no normalisation
  at::Tensor bias;    ///< [d] likewise
  double epsilon = 1e-5;

  at::Tensor operator()(const at::Tensor& x) const {
    if (!weight.defined()) return x;
    return at::layer_norm(x, {weight.size(0)}, weight, bias, epsilon, false);
  }
};

}  // namespace knnseq::model
