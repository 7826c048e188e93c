// An encoder-decoder Transformer as it is read from a model directory.
#pragma once

#include "model/decoder.hpp"
#include "model/encoder.hpp"
#include "model/model_info.hpp"

namespace knnseq::model {

/// All that a family's reader has to make.
struct TransformerParts {
  ModelInfo info;
  Encoder encoder;
  Decoder decoder;
};

}  // namespace knnseq::model
