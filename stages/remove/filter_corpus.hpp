// A corpus, its datastore and its index without some of its sentences, in new folders.
#pragma once

#include <set>

#include "runtime/stage_context.hpp"
#include "stages/remove/renumbering.hpp"
#include "stages/shared/shards/built_datastore.hpp"

namespace knnseq::stages {

/// One corpus of a datastore and what becomes of it.
struct FilteredCorpus {
  const BuiltCorpus& built;
  CorpusPaths next;              ///< where the new files go; with the new first_entry
  std::set<std::int64_t> lines;  ///< taken out, from 0; those that the corpus has
  Renumbering renumbering;
};

/// Which of these lines the corpus has, and what their sentences are. Collective; throws
/// core::InputError (on all ranks) if a shard is damaged.
std::vector<RemovedSentence> find_sentences(comm::Communicator& comm, const BuiltCorpus& built,
                                            const std::set<std::int64_t>& lines);

/// The step partition of the new corpus: sentences stay in their shards and batches. Collective.
void filter_text(runtime::StageContext& context, const FilteredCorpus& corpus);

/// The step encode: rows of the stored datasets as they are, the training sample as encode would
/// choose it now. Collective; throws core::InputError (on all ranks) if a shard is damaged.
void filter_datastore(runtime::StageContext& context, const FilteredCorpus& corpus);

/// The step add: lists and codes of the existing index as they are, with new entry numbers. If no
/// line is taken out, only those change. Collective; throws likewise.
void filter_index(runtime::StageContext& context, const FilteredCorpus& corpus);

}  // namespace knnseq::stages
