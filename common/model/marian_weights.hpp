// Builds the native Transformer from a Hugging Face Marian model.safetensors.
#pragma once

#include "model/marian_config.hpp"
#include "model/native_transformer.hpp"
#include "model/safetensors.hpp"

namespace knnseq::model {

/// All weights in fp32. Throws InputError naming file and tensor where one is missing, has another
/// shape, or is there and not known.
TransformerParts read_marian_weights(const MarianConfig& config, const SafetensorsFile& file);

}  // namespace knnseq::model
