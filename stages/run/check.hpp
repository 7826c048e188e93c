// What run looks at before its first stage begins, so that nothing is found out after hours.
#pragma once

#include "runtime/stage_context.hpp"
#include "stages/run/check_scope.hpp"
#include "stages/shared/options/options.hpp"
#include "stages/shared/plan/needs.hpp"

namespace knnseq::stages {

/// Looks at everything that the config names and the stages of run, and sweep and tune, will need:
/// models and tokeniser open and fit; all texts exist, are UTF-8 and agree in lines; index types
/// can be made for the model's width; networks, other datastores and filters work; disk and memory
/// have room. Texts of finished stages are not read again. Logs what it has found. Writes nothing.
/// Throws core::InputError that lists all problems (on all ranks). Returns what sizes follow from.
/// Collective.
Needs check_run(runtime::StageContext& context, const Options& options, CheckScope scope);

/// What the sizes of a run follow from: of the model, and, if `counts_text`, of the corpora. Opens
/// only these. Throws core::InputError that lists all problems (on all ranks). Collective.
Needs count_needs(runtime::StageContext& context, const Options& options, bool counts_text);

}  // namespace knnseq::stages
