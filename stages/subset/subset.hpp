// Stage subset: what subset kNN-MT needs beside the datastore.
#pragma once

#include "runtime/stage_context.hpp"
#include "stages/shared/options/options.hpp"

namespace knnseq::stages {

/// In subset/: an index of the sentences' vectors (none if similar sentences are found by their
/// pieces), and codes of all entries with a codebook of their own, in the order of the datastore's
/// rows. Each step is skipped if it is done, and resumes where it was stopped. Collective.
void subset(runtime::StageContext& context, const Options& options);

}  // namespace knnseq::stages
