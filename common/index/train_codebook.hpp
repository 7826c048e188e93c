// Distributed training of a codebook.
#pragma once

#include "comm/communicator.hpp"
#include "index/codebook.hpp"
#include "index/sample_blocks.hpp"
#include "index/train_options.hpp"

namespace knnseq::index {

/// Trains rotation (OPQ or PCA), coarse centroids (k-means on the rotated sample) and product
/// quantiser (k-means on the residuals). Collective; returns the same codebook on every rank, bit
/// by bit the same for any number of ranks and any number of interruptions (at equal threads per
/// rank and hardware). Throws core::InputError on all ranks where the sample is too small or not
/// finite, or where hooks.resume belongs to another training.
Codebook train_codebook(comm::Communicator& comm, const SampleBlocks& sample, const IndexSpec& spec,
                        const TrainOptions& options, const CheckpointHooks& hooks = {});

}  // namespace knnseq::index
