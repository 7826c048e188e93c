// Stage verify: every file of a run directory against the checksums it was made with.
#pragma once

#include "runtime/stage_context.hpp"

namespace knnseq::stages {

/// Reads all files that a manifest or a journal knows, dealt over the ranks by size, and prints a
/// table. Throws core::InputError (on all ranks) if any is damaged or missing, after a line for
/// each file and range on standard output; core::Stopped after SIGUSR1. Collective.
void verify(runtime::StageContext& context);

}  // namespace knnseq::stages
