// Rows of a sample, from the ranks that read them to those that train on them.
#pragma once

#include "comm/communicator.hpp"
#include "index/sample/sample_blocks.hpp"
#include "stages/shared/sample/sample_rows.hpp"

namespace knnseq::stages {

/// Brings each row (width values of a type) to the rank whose block it belongs to: blocks of fixed
/// size in the order of entry numbers, so the same whatever the number of shards and ranks. A rank
/// holds what it read, its part, and all numbers. Collective.
index::SampleBlocks distribute_sample_rows(comm::Communicator& comm, const SampleRows& mine,
                                           std::int64_t width, at::ScalarType type);

}  // namespace knnseq::stages
