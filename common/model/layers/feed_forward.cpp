#include "model/layers/feed_forward.hpp"

#include <ATen/ATen.h>

namespace knnseq::model {

at::Tensor FeedForward::forward(const at::Tensor& x, const at::Tensor& residual) const {
  if (activation == Activation::relu) return outer.forward_add(inner.forward_relu(x), residual);
  at::Tensor hidden = inner.forward(x);
  if (activation == Activation::gelu) {
    at::gelu_(hidden);
  } else {
    at::silu_(hidden);
  }
  return outer.forward_add(hidden, residual);
}

}  // namespace knnseq::model
