// What keys are made from.
#pragma once

#include "runtime/stage_context.hpp"
#include "stages/shared/inputs/manifests.hpp"
#include "stages/shared/options/corpus_paths.hpp"

namespace knnseq::stages {

/// Everything that changes the keys of a corpus. Throws core::InputError (on all ranks) if the
/// corpus was tokenised otherwise than the config says. Collective.
KeyInputs key_inputs(runtime::StageContext& context, const Options& options,
                     const CorpusPaths& paths, const CorpusManifest& corpus);

/// Throws core::InputError naming what differs, if encode made the sample's keys from other inputs
/// (`made_from`) than those that all keys would be made from now. Call it inside comm::agree.
void require_same_key_inputs(const KeyInputs& made_from, const KeyInputs& inputs,
                             const CorpusPaths& paths);

}  // namespace knnseq::stages
