// Stage export: everything as one faiss file, for users of Python.
#pragma once

#include "runtime/stage_context.hpp"
#include "stages/shared/options/options.hpp"

namespace knnseq::stages {

/// Merges the shards of all corpora, appended ones too, into export/index.faiss, whose ids are
/// plain entry numbers, and writes export/values.npy (uint32), so that values[id] is the token.
/// Rank 0 writes; the others check the shards and wait. Throws core::InputError (on all ranks)
/// if a corpus is not finished or a shard damaged, core::SystemError if the disk has too
/// little room, core::Stopped after a stop signal (an export is not resumed). Collective.
void export_datastore(runtime::StageContext& context, const Options& options);

}  // namespace knnseq::stages
