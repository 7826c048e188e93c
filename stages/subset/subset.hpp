// Stage subset: what subset kNN-MT needs beside the datastore.
#pragma once

#include "index/core/index_spec.hpp"
#include "runtime/stage_context.hpp"
#include "stages/shared/options/options.hpp"

namespace knnseq::stages {

/// In subset/: an index of the sentences' vectors (none if similar sentences are found by their
/// pieces), and codes of all entries with a codebook of their own, in the order of the datastore's
/// rows. Each step is skipped if it is done, and resumes where it was stopped. Collective.
void subset(runtime::StageContext& context, const Options& options);

/// subset.codes for keys of this width. Throws core::InputError if it is not a quantiser without
/// lists.
index::IndexSpec codes_spec(const Options& options, std::int64_t width);

}  // namespace knnseq::stages
