// Stage merge: datastores of several run directories as one.
#pragma once

#include <string>
#include <vector>

#include "runtime/stage_context.hpp"
#include "stages/shared/options/options.hpp"

namespace knnseq::stages {

/// Makes the run directory options.run_dir of others: "DIR", or "NAME=DIR" but for the first. Its
/// first corpus, codebook and config are those of the first run directory; all corpora of the
/// others become appended ones, called NAME (the folder's name) and as they were called there, or
/// with a NAME given "NAME-" and that. Files are linked, or copied where that is not possible; an
/// index under the same codebook gets new entry numbers, any other is coded anew from the stored
/// keys. Nothing in the others changes. An interrupted merge goes on where it stopped. Throws
/// core::InputError (on all ranks) if they do not fit each other. Collective.
void merge(runtime::StageContext& context, const Options& options,
           const std::vector<std::string>& folders);

}  // namespace knnseq::stages
