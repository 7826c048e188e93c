// A decoded test set as a page of its own: what kNN changed in each line, and why.
#pragma once

#include <vector>

#include "runtime/stage_context.hpp"
#include "stages/inspect/two_decodings.hpp"
#include "stages/shared/options/options.hpp"
#include "stages/shared/trace/trace.hpp"

namespace knnseq::stages {

/// Traces the lines (from 0; none: all) of `decodings` and writes options.inspect.html: a page that
/// needs no server. Of tokens that the base does not have (by a longest common subsequence) it
/// holds candidates and neighbours, of the others the probabilities; each datastore sentence once.
/// Throws core::InputError (on all ranks) if the file cannot be written. Collective.
void write_book(runtime::StageContext& context, const Options& options,
                const TracedDecoding& traced, const TwoDecodings& decodings);

}  // namespace knnseq::stages
