// What partition makes of text, of entries whose source is not there.
#pragma once

#include <optional>

#include "model/base/translation_model.hpp"
#include "runtime/stage_context.hpp"
#include "stages/import/foreign_features.hpp"
#include "stages/import/foreign_sentences.hpp"
#include "stages/import/foreign_store.hpp"
#include "stages/shared/options/options.hpp"

namespace knnseq::stages {

/// What is imported, and for which model.
struct Origin {
  std::optional<ForeignStore> store;
  std::optional<ForeignSentences> sentences;
  std::optional<ForeignFeatures> features;  ///< of sentences, if they came
  model::ModelInfo model;
  core::Json facts;  ///< where the store comes from: an input of all that is made of it
};

/// Makes corpus/: the sources of its sentences are an end of sentence alone, their targets the
/// tokens of the store. Some hundred thousand entries are in memory at a time. Collective.
void import_corpus(runtime::StageContext& context, const Options& options, const Origin& origin);

}  // namespace knnseq::stages
