// The queries of a sweep: decoder vectors of held-out text.
#pragma once

#include <ATen/ATen.h>

#include "runtime/stage_context.hpp"
#include "stages/shared/options/options.hpp"

namespace knnseq::stages {

/// Translates sweep.source under teacher forcing with sweep.target, by all ranks, and takes at most
/// sweep.queries of the vectors, those with the smallest hashes of (seed, position): fp32 [q,
/// width], in the order of positions, on every rank and the same for any number of ranks. Pairs
/// that partition would drop are left out. `scratch`: compressed files are unpacked there. Throws
/// core::InputError on all ranks, also if no pair is usable. Collective.
at::Tensor held_out_queries(runtime::StageContext& context, const Options& options,
                            const std::filesystem::path& scratch);

}  // namespace knnseq::stages
