// An encoder-decoder Transformer as it is read from a model directory.
#pragma once

#include "model/base/model_info.hpp"
#include "model/transformer/decoder.hpp"
#include "model/transformer/encoder.hpp"

namespace knnseq::model {

/// What a family's reader has to provide.
struct TransformerParts {
  ModelInfo info;
  Encoder encoder;
  Decoder decoder;
};

}  // namespace knnseq::model
