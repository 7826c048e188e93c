// Distributed training of a codebook.
#pragma once

#include "index/faiss_io/codebook.hpp"
#include "index/sample/sample_blocks.hpp"
#include "index/sample/train_context.hpp"
#include "index/train/train_options.hpp"

namespace knnseq::index {

/// Trains what the spec needs: rotation (OPQ or PCA), coarse centroids (k-means on the rotated
/// sample) and product quantiser (k-means on the residuals, or on the rotated sample if there
/// are no lists). For l2 OPQ and PCA work on centred vectors; for ip and cos they do not, and
/// coarse centroids have length 1; for cos vectors are normalised first. Collective; returns the
/// same codebook on every rank, bit by bit the same for any number of ranks and any number of
/// interruptions (at equal threads per rank and hardware).
/// The sample, on the host, is consumed: hand it over with std::move, so that blocks can be freed.
/// Memory beside it is bounded: see docs/internals/training.md. On devices the rows that a step
/// uses are copied there: OPQ's as they are stored, then the rotated sample in fp32. Throws
/// core::InputError on all ranks if the sample is too small or not finite, or if hooks.resume
/// belongs to another training.
Codebook train_codebook(const TrainContext& context, SampleBlocks sample, const IndexSpec& spec,
                        const TrainOptions& options, const CheckpointHooks& hooks = {});

}  // namespace knnseq::index
