// The training sample, from the shards to the ranks that train on it.
#pragma once

#include <filesystem>
#include <functional>

#include "comm/communicator.hpp"
#include "index/sample_blocks.hpp"

namespace knnseq::stages {

/// Reads the sample rows of all shards (each shard by one rank), checks their checksums and brings
/// each row to the rank whose block it belongs to: blocks of fixed size in the order of entry
/// numbers, so the same whatever the number of shards and ranks. No rank holds more than its part.
/// `keep`, where given: only the rows of entries for which it holds. Collective.
index::SampleBlocks read_sample(comm::Communicator& comm, const std::filesystem::path& datastore,
                                std::int64_t shards, std::int64_t width,
                                const std::function<bool(std::int64_t entry)>& keep = {});

}  // namespace knnseq::stages
