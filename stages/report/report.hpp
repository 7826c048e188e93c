// report: what a run directory holds and how it was made, as one page.
#pragma once

#include <filesystem>

#include "runtime/stage_context.hpp"

namespace knnseq::stages {

/// Writes run_dir/report.html (docs/report.md) from what finished stages have left behind; what was
/// not made is not in it. Throws core::InputError (on all ranks) if a file that it reads is
/// damaged. Collective.
void report(runtime::StageContext& context);

}  // namespace knnseq::stages
