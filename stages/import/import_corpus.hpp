// What partition makes of text, of entries without text.
#pragma once

#include <optional>

#include "model/base/translation_model.hpp"
#include "runtime/stage_context.hpp"
#include "stages/import/foreign_store.hpp"
#include "stages/shared/options/options.hpp"
#include "store/corpus_shard.hpp"

namespace knnseq::stages {

/// What is imported, and for which model.
struct Origin {
  std::optional<ForeignStore> store;
  model::ModelInfo model;
  core::Json facts;  ///< where the store comes from: an input of all that is made of it
};

/// The entries of a shard: batches of 4,096 are dealt to the shards in runs of consecutive ones.
core::Range entries_of_shard(std::int64_t entries, std::int64_t shard, std::int64_t shards);

/// begin, begin + 1, … up to the end, without it.
std::vector<std::int64_t> count_up(core::Range numbers);

/// What a corpus says of entries, each a sentence of its own, but for their tokens. The range
/// begins with a batch. Rows are counted from the entry `first`, which a shard begins with.
store::CorpusShard describe_entries(core::Range entries, std::int64_t first);

/// Makes corpus/: each entry is a sentence, its source an end of sentence alone, its target the
/// entry's token. Some hundred thousand of them are in memory at a time. Collective.
void import_corpus(runtime::StageContext& context, const Options& options, const Origin& origin);

}  // namespace knnseq::stages
