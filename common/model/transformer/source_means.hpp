// Means of an encoder's output vectors: sentence keys, and the queries for them.
#pragma once

#include <cstdint>
#include <span>

#include <ATen/core/Tensor.h>

#include "model/base/translation_model.hpp"

namespace knnseq::model {

/// out[i] = mean of rows starts[i] … starts[i + 1] of `states` [rows, d] fp32, summed in double.
/// starts [n + 1]; out fp32 [n, d], contiguous.
void mean_rows(const at::Tensor& states, std::span<const std::int64_t> starts,
               const at::Tensor& out);

/// fp32 [sentences, source_width] on the CPU: the mean of the encoder's output over each source (an
/// ensemble's first model's), which teacher_force() gives as sentence keys.
at::Tensor source_means(const EncodedSource& encoded);

}  // namespace knnseq::model
