// Rows of the sample chosen by hash, the same for any number of ranks.
#pragma once

#include <functional>

#include "comm/communicator.hpp"
#include "index/sample/sample_blocks.hpp"

namespace knnseq::index {

/// The `count` rows with the smallest hashes of (seed, row), in their order, as a sample of its own
/// (redistributed); the sample itself if it has no more rows. A block of the argument is freed
/// when its rows are taken. On the device of the argument's blocks. Collective.
SampleBlocks subsample(comm::Communicator& comm, SampleBlocks sample, std::int64_t count,
                       std::uint64_t seed);

/// The `count` rows with the smallest hashes, in the order of their hashes, fp32 [count, dim], in
/// every rank's host memory. The sample must have that many. Collective.
at::Tensor draw_rows(comm::Communicator& comm, const SampleBlocks& sample, std::int64_t count,
                     std::uint64_t seed);

/// The sample with `map` applied to every block, fp32 [rows, sample.dim] → fp32 [rows, dim]. Each
/// block of the argument is freed once it is mapped. Not collective.
SampleBlocks map_blocks(SampleBlocks sample, std::int64_t dim,
                        const std::function<at::Tensor(const at::Tensor&)>& map);

}  // namespace knnseq::index
