// Checks that what a stage has loaded is what its manifest will say.
#pragma once

#include "core/files.hpp"
#include "runtime/stage_context.hpp"

namespace knnseq::runtime {

/// Throws core::InputError (on all ranks) naming an input file that has been written to or replaced
/// since it was fingerprinted (context.input_stamps). To be called when a stage has loaded all that
/// it reads: what was loaded is then what was fingerprinted. Collective.
void require_unchanged_inputs(StageContext& context);

/// The same for a stage that has done its work, of rank 0: weights are mapped, not read, so that a
/// file that is edited in place changes what a stage computes. A file that was replaced or removed
/// does not, nor does one whose bytes are the same.
void require_unedited_inputs(const StageContext& context);

}  // namespace knnseq::runtime
