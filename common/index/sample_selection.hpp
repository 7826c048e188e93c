// Rows of the sample chosen by hash, the same for any number of ranks.
#pragma once

#include <functional>

#include "comm/communicator.hpp"
#include "index/sample_blocks.hpp"

namespace knnseq::index {

/// The `count` rows with the smallest hashes of (seed, row), in their order and in their blocks,
/// which get shorter; the sample itself where it has no more rows. Only for a sample as it was
/// dealt (all blocks but the last are full). Not collective.
SampleBlocks subsample(const SampleBlocks& sample, std::int64_t count, std::uint64_t seed);

/// The `count` rows with the smallest hashes, in the order of their hashes, fp32 [count, dim], on
/// every rank. The sample must have that many. Collective.
at::Tensor draw_rows(comm::Communicator& comm, const SampleBlocks& sample, std::int64_t count,
                     std::uint64_t seed);

/// Another sample with `map` applied to every block, fp32 [rows, sample.dim] → fp32 [rows, dim].
/// Not collective.
SampleBlocks map_blocks(const SampleBlocks& sample, std::int64_t dim,
                        const std::function<at::Tensor(const at::Tensor&)>& map);

}  // namespace knnseq::index
