// Builds the native Transformer from a model directory's weights, of whatever family.
#pragma once

#include "model/families/families.hpp"
#include "model/families/weight_reader.hpp"
#include "model/safetensors/safetensors_folder.hpp"
#include "model/transformer/transformer_parts.hpp"

namespace knnseq::model {

/// Token tables stay in the file's dtype, on the CPU in the mapped files. Throws InputError naming
/// file and tensor if one is missing, has another shape, or is unknown.
TransformerParts read_transformer(const ModelConfig& config, const SafetensorsFolder& files,
                                  const WeightTarget& target);

}  // namespace knnseq::model
