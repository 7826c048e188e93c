// The index of a corpus under other entry numbers.
#pragma once

#include <filesystem>

#include "index/prune/prune_shards.hpp"
#include "runtime/stage_runner.hpp"
#include "stages/shared/shards/built_datastore.hpp"

namespace knnseq::stages {

/// Fills `folder`, that of a step that was begun, with the files of a finished index: lists and
/// codes as they are, `entries` of its entries, with the numbers that `renumber` gives to theirs.
/// Resumes unfinished work (runtime::ShardJobs). Collective; throws core::InputError (on all ranks)
/// if a file is damaged.
runtime::StageOutcome renumber_index(runtime::StageContext& context, const BuiltCorpus& built,
                                     const std::filesystem::path& folder, std::int64_t entries,
                                     const index::NewNumber& renumber);

}  // namespace knnseq::stages
