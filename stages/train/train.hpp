// Stage train: the codebook, from the sample, by all ranks together.
#pragma once

#include "runtime/stage_context.hpp"
#include "stages/shared/options/options.hpp"

namespace knnseq::stages {

/// Trains rotation, coarse centroids and product quantiser on the config's sample of the keys;
/// writes codebook/codebook.faiss. Resumes at the iteration it was interrupted at. Collective.
void train(runtime::StageContext& context, const Options& options);

}  // namespace knnseq::stages
