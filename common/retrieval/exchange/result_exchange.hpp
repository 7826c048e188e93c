// Partial results on their way back to the ranks that asked.
#pragma once

#include <cstdint>
#include <span>

#include "comm/communicator.hpp"
#include "index/core/top_k.hpp"

namespace knnseq::retrieval {

/// What each rank has found for everybody's queries: `found` holds those of rank 0, then of rank 1,
/// … (counts [ranks]). A rank gets its own queries' partial results; in rank order.
std::vector<index::TopK> return_results(comm::Communicator& comm, const index::TopK& found,
                                        std::span<const std::int64_t> counts);

/// The best of each query in the order of (distance, entry number). `partial` is not empty, its
/// members of the same shape.
index::TopK merge_results(const std::vector<index::TopK>& partial);

}  // namespace knnseq::retrieval
