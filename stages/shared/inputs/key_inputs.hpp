// What keys are made from.
#pragma once

#include "core/files.hpp"
#include "runtime/stage_context.hpp"
#include "stages/shared/options/corpus_paths.hpp"

namespace knnseq::stages {

/// Everything that changes the keys of a corpus, by name: inputs of encode, and of add where it
/// makes the keys again. `corpus`: manifest of partition. Throws core::InputError (on all ranks)
/// where the corpus was tokenised otherwise than the config says. Collective.
core::Json key_inputs(runtime::StageContext& context, const Options& options,
                      const CorpusPaths& place, const core::Json& corpus);

/// Throws core::InputError naming what differs, where encode made the sample's keys from something
/// else than what `inputs` (key_inputs) would make all keys from now. `datastore`: manifest of
/// encode. Call it inside comm::agree.
void require_same_key_inputs(const core::Json& datastore, const core::Json& inputs,
                             const CorpusPaths& place);

}  // namespace knnseq::stages
