// How much `run --check` looks at: apart from check.hpp, for the command line.
#pragma once

#include "core/enum_names.hpp"

namespace knnseq::stages {

enum class CheckScope {
  all,    ///< on the machine and with the ranks that will do the work
  inputs  ///< elsewhere: without memory, GPUs, and models in memory
};

constexpr auto names_of(CheckScope) {
  return core::enum_names<CheckScope>({{CheckScope::all, "all"}, {CheckScope::inputs, "inputs"}});
}

}  // namespace knnseq::stages
