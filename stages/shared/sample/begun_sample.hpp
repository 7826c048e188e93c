// The sample that a datastore was begun with.
#pragma once

#include "runtime/stage_context.hpp"
#include "stages/shared/options/corpus_paths.hpp"

namespace knnseq::stages {

/// A file of the datastore's folder: which sample the separately stored rows belong to, until the
/// manifest says so.
inline constexpr const char* sample_name = "sample.json";

/// The config's sample, unless an earlier run has begun to store another one: then that one, which
/// is logged. Throws core::InputError (on all ranks) where no other keys are kept. Collective.
SampleSpec begun_sample(runtime::StageContext& context, const Options& options,
                        const CorpusPaths& paths);

/// Removes the file, once the manifest is there. Collective.
void remove_begun_sample(runtime::StageContext& context, const CorpusPaths& paths);

}  // namespace knnseq::stages
