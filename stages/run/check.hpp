// What run looks at before its first stage begins, so that nothing is found out after hours.
#pragma once

#include "core/enum_names.hpp"
#include "runtime/stage_context.hpp"
#include "stages/shared/options/options.hpp"

namespace knnseq::stages {

enum class CheckScope {
  all,    ///< on the machine and with the ranks that will do the work
  inputs  ///< elsewhere: without memory, GPUs, and models in memory
};

constexpr auto names_of(CheckScope) {
  return core::enum_names<CheckScope>({{CheckScope::all, "all"}, {CheckScope::inputs, "inputs"}});
}

/// Looks at everything that the config names and the stages of run, and sweep and tune, will need:
/// models and tokeniser open and fit; all texts exist, are UTF-8 and agree in lines; index types
/// can be made for the model's width; networks, other datastores and filters work; disk and memory
/// have room. Texts of finished stages are not read again. Logs what it has found. Writes nothing.
/// Throws core::InputError that lists all problems (on all ranks). Collective.
void check_run(runtime::StageContext& context, const Options& options, CheckScope scope);

}  // namespace knnseq::stages
