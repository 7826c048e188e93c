// What similar sentences are searched by.
#pragma once

#include <span>
#include <vector>

#include "model/base/translation_model.hpp"
#include "retrieval/knn_search.hpp"
#include "stages/shared/options/options.hpp"
#include "text/tokenizers/tokenizer.hpp"

namespace knnseq::stages {

/// A source without the prefix and suffix of the encoder's input.
std::span<const core::TokenId> own_tokens(std::span<const core::TokenId> source,
                                          const text::SourceFrame& frame);

/// What KnnMixer::begin() takes of these sources (as the encoder takes them, and `encoded` by
/// it): as much as the config's sentence encoder reads.
retrieval::SentenceBlock make_sentence_block(const SubsetOptions& options,
                                             const text::Tokenizer& tokenizer,
                                             model::Sentences sources,
                                             const model::EncodedSource& encoded);

}  // namespace knnseq::stages
