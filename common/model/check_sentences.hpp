// What every model demands of the sentences it is given.
#pragma once

#include "model/translation_model.hpp"

namespace knnseq::model {

struct SentenceLimits {
  std::int64_t vocab_size = 0;
  std::int64_t tokens = 0;  ///< of the longest sentence, EOS included
};

/// Throws InputError naming the `side` ("source", "target") and the sentence of the batch that is
/// empty, too long, or has a token outside the vocabulary.
void check_sentences(Sentences sentences, const char* side, const SentenceLimits& limits);

}  // namespace knnseq::model
