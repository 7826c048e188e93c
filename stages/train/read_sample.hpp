// The training sample, from the shards to the ranks that train on it.
#pragma once

#include <filesystem>

#include "comm/communicator.hpp"
#include "index/sample_blocks.hpp"

namespace knnseq::stages {

/// Reads the sample rows of all shards (each shard by one rank, unit by unit), checks their
/// checksums and brings each row to the rank whose block it belongs to: fp16 blocks of fixed size in
/// the order of entry numbers, so the same whatever the number of shards and ranks. A rank holds its
/// part, some units' rows and all sample entries' numbers. Collective.
index::SampleBlocks read_sample(comm::Communicator& comm, const std::filesystem::path& datastore,
                                std::int64_t shards, std::int64_t width);

}  // namespace knnseq::stages
