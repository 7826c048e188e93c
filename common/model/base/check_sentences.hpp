// What every model demands of the sentences it is given.
#pragma once

#include "model/base/translation_model.hpp"

namespace knnseq::model {

/// Throws InputError naming the side ("source") and the sentence of the batch that is empty, too
/// long, or has a token outside the vocabulary.
void check_source(Sentences sentences, const ModelInfo& info);

/// The same for the target.
void check_target(Sentences sentences, const ModelInfo& info);

}  // namespace knnseq::model
