// serve: translations by HTTP.
#pragma once

#include <string>
#include <vector>

#include "runtime/stage_context.hpp"
#include "stages/shared/options/options.hpp"

namespace knnseq::stages {

/// Answers HTTP requests on rank 0 (docs/serve.md) until SIGTERM, SIGINT or SIGUSR1 comes, and
/// finishes those in hand. Requests that wait are translated together, by all ranks. names: as of
/// translate_stdin(). Throws core::InputError on all ranks. Collective.
void serve(runtime::StageContext& context, const Options& options,
           const std::vector<std::string>& names);

}  // namespace knnseq::stages
