// The feed-forward block of a Transformer layer.
#pragma once

#include "model/base/transformer_config.hpp"
#include "model/layers/linear.hpp"

namespace knnseq::model {

struct FeedForward {
  Linear inner;  ///< [ffn_width, d]
  Linear outer;  ///< [d, ffn_width]
  Activation activation = Activation::relu;

  /// residual + outer(activation(inner(x))); x and residual [rows, d].
  at::Tensor forward(const at::Tensor& x, const at::Tensor& residual) const;
};

}  // namespace knnseq::model
