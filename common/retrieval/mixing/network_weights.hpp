// The trained numbers of the small networks that decide about neighbours, and what is common to
// them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "model/safetensors/safetensors.hpp"

namespace knnseq::retrieval {

using NetworkWeights = std::map<std::string, at::Tensor>;  ///< fp32, by name
using Shapes = std::map<std::string, std::vector<std::int64_t>>;

/// To be trained: numbers of a normal distribution (of the seed) for matrices of several rows,
/// whose sums with inputs of deviation 1 have deviation 1; zeros for all else.
NetworkWeights random_weights(const Shapes& shapes, std::uint64_t seed);

/// A copy of the tensor, of the shape if one is given. Throws core::InputError naming file and
/// tensor if it is missing, of another shape or dtype, or holds numbers that are not finite.
at::Tensor read_weight(const model::SafetensorsFile& file, const std::string& name,
                       const std::vector<std::int64_t>& shape = {});

/// tanh(weight · input + bias): a hidden layer.
at::Tensor hidden_layer(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias);

/// log p / 5, at least −4: near the range of tanh.
at::Tensor scaled_logarithm(const at::Tensor& log_probs);

/// fp32 [q, 2]: log p_mt of the model's first two choices.
at::Tensor best_log_probs(const at::Tensor& log_probs);

/// fp32 [q, width], each query with mean 0 and deviation 1.
at::Tensor normalised_queries(const at::Tensor& queries);

}  // namespace knnseq::retrieval
