// What a model directory says of its model: the result of every family's config reader.
#pragma once

#include <string>

#include "model/base/model_info.hpp"
#include "model/base/transformer_config.hpp"
#include "model/families/config_reader.hpp"

namespace knnseq::model {

/// What a family calls its tensors where the families differ.
struct TensorNames {
  std::string stacks;       ///< before "encoder." and "decoder."
  std::string output;       ///< of the output projection
  std::string output_bias;  ///< [1, V]; read where the config has a bias
};

struct ModelConfig {
  TransformerConfig transformer;
  ModelInfo info;
  TensorNames names;
};

/// Fills family, widths, layers, positions and vocabulary sizes.
void describe_shape(const std::string& family, const TransformerConfig& transformer,
                    ModelInfo& info);

/// Throws InputError naming file and `key`, which the width came from, where the stack is too
/// narrow for its kind of positions.
void check_position_width(ConfigReader& config, const std::string& key, const StackConfig& stack);

/// "relu", "gelu" (by the error function), "silu" or "swish". Throws InputError.
Activation read_activation(ConfigReader& config, const std::string& key);

/// A token inside the vocabulary. Throws InputError naming file and key.
TokenId read_token(ConfigReader& config, const std::string& key, std::int64_t vocab_size);

}  // namespace knnseq::model
