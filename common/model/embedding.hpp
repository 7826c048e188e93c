// Token and position embeddings of one side.
#pragma once

#include <ATen/core/Tensor.h>

#include "model/layer_norm.hpp"

namespace knnseq::model {

struct Embedding {
  at::Tensor tokens;     ///< [V, d]
  at::Tensor positions;  ///< [max_positions, d], sinusoidal or learned
  double scale = 1.0;    ///< of token embeddings
  LayerNorm norm;        ///< on the sum; may be none

  /// [rows, d] for ids and positions [rows] int64.
  at::Tensor forward(const at::Tensor& ids, const at::Tensor& places) const;
};

/// Sinusoidal positions as transformers' Marian has them: [max_positions, d] fp32, sines in the
/// first half of the columns, cosines in the second, computed in double. (Vaswani et al., 2017.)
at::Tensor sinusoidal_positions(std::int64_t max_positions, std::int64_t width);

}  // namespace knnseq::model
