// Finished steps of one run directory as steps of another.
#pragma once

#include "core/files.hpp"
#include "runtime/stage_context.hpp"
#include "stages/shared/options/corpus_paths.hpp"

namespace knnseq::stages {

/// Makes the step `to` of a finished step of another run directory: its files as links, or as
/// copies where the file system allows no links, and its manifest with these inputs in the place of
/// those that it had. Ranks share the shards; interrupted work goes on. With the same name and
/// inputs the manifest has the same bytes. Collective; throws core::InputError (on all ranks) if a
/// file is missing or has another size; bytes are compared by those who read them.
void take_over(runtime::StageContext& context, const StageRef& from, const StageRef& to,
               const core::Json& inputs = core::Json::object());

}  // namespace knnseq::stages
