// What partition makes of text, of entries without text.
#pragma once

#include <optional>

#include "model/base/translation_model.hpp"
#include "runtime/stage_context.hpp"
#include "stages/import/foreign_store.hpp"
#include "stages/shared/options/options.hpp"

namespace knnseq::stages {

/// What is imported, and for which model.
struct Origin {
  std::optional<ForeignStore> store;
  model::ModelInfo model;
  core::Json facts;  ///< where the store comes from: an input of all that is made of it
};

/// Makes corpus/: each entry is a sentence, its source an end of sentence alone, its target the
/// entry's token. Batches of 4,096 entries are dealt to the shards in runs of consecutive ones.
/// Collective.
void import_corpus(runtime::StageContext& context, const Options& options, const Origin& origin);

}  // namespace knnseq::stages
