// Token and position embeddings of one side.
#pragma once

#include <ATen/core/Tensor.h>

#include "model/layers/layer_norm.hpp"

namespace knnseq::model {

struct Embedding {
  at::Tensor tokens;     ///< [V, d] in any floating dtype; may be a mapped file
  at::Tensor positions;  ///< [max_positions, d] fp32; row 0 is a sentence's first token's
  double scale = 1.0;    ///< of token embeddings
  LayerNorm norm;        ///< on the sum; may be none
  at::ScalarType dtype = at::kFloat;  ///< of the result

  /// [rows, d] for ids and positions [rows] int64. The sum is made in fp32.
  at::Tensor forward(const at::Tensor& ids, const at::Tensor& places) const;

  /// The same for ids that all stand at one position.
  at::Tensor forward_at(const at::Tensor& ids, std::int64_t place) const;

 private:
  at::Tensor of_tokens(const at::Tensor& ids) const;  ///< scaled, [rows, d] fp32
};

/// Sinusoidal positions as transformers' Marian has them: [max_positions, d] fp32, sines in the
/// first half of the columns, cosines in the second, computed in double. (Vaswani et al., 2017.)
at::Tensor sinusoidal_positions(std::int64_t max_positions, std::int64_t width);

/// Rows [first, first + max_positions) of fairseq's table, [max_positions, d] fp32: other
/// wavelengths than above, a column of zeros last if d is odd, and computed in fp32 as fairseq
/// and transformers' M2M100 do, which moves the last digits of far positions. d is at least 4.
at::Tensor fairseq_sinusoidal_positions(std::int64_t first, std::int64_t max_positions,
                                        std::int64_t width);

}  // namespace knnseq::model
