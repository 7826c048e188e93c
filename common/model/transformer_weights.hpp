// Builds the native Transformer from a model directory's weights, of whatever family.
#pragma once

#include "model/model_config.hpp"
#include "model/native_transformer.hpp"
#include "model/safetensors_folder.hpp"

namespace knnseq::model {

/// `dtype` of matrix products: fp32 or bf16. Token tables stay in the mapped files. Throws
/// InputError naming file and tensor where one is missing, has another shape, or is there and not
/// known.
TransformerParts read_transformer(const ModelConfig& config, const SafetensorsFolder& files,
                                  at::ScalarType dtype);

}  // namespace knnseq::model
