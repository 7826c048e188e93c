// A new codebook in the place of one that does not fit what was appended since.
#pragma once

#include "runtime/stage_context.hpp"
#include "stages/shared/options/options.hpp"

namespace knnseq::stages {

/// Trains a codebook on a sample of the stored keys of all corpora, in proportion to their entries,
/// and codes all of them anew with it; says first what that takes. All is made in retrain/next/ and
/// replaces the old codebook and indexes in one step when it is whole (put_in_place.hpp): a command
/// that was killed before goes on where it stopped, and the old ones count until then. What was
/// made from the old indexes, such as pruned ones, is removed. Throws core::InputError (on all
/// ranks) if a corpus stores no keys. Collective.
void continue_training(runtime::StageContext& context, const Options& options);

}  // namespace knnseq::stages
