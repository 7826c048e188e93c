// What run looks at before its first stage begins, so that nothing is found out after hours.
#pragma once

#include "runtime/stage_context.hpp"
#include "stages/run/check_scope.hpp"
#include "stages/shared/options/options.hpp"

namespace knnseq::stages {

/// Looks at everything that the config names and the stages of run, and sweep and tune, will need:
/// models and tokeniser open and fit; all texts exist, are UTF-8 and agree in lines; index types
/// can be made for the model's width; networks, other datastores and filters work; disk and memory
/// have room. Texts of finished stages are not read again. Logs what it has found. Writes nothing.
/// Throws core::InputError that lists all problems (on all ranks). Collective.
void check_run(runtime::StageContext& context, const Options& options, CheckScope scope);

}  // namespace knnseq::stages
