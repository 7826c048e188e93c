// The queries of all ranks and their results as tensors that stay on their devices.
#pragma once

#include <cstdint>
#include <span>

#include "gpu/collectives.hpp"
#include "index/core/device_top_k.hpp"
#include "retrieval/exchange/query_message.hpp"

namespace knnseq::retrieval {

/// All ranks' queries in rank order, from each rank's own; counts [ranks]: how many each has. One
/// collective, and none where nobody has any. Collective.
PreparedQueries gather_queries(gpu::Collectives& collectives, const PreparedQueries& mine,
                               std::span<const std::int64_t> counts);

/// What each rank has found for everybody's queries goes back to those who asked and is merged
/// there: the k best of each of this rank's queries. `found` holds the queries of rank 0, then of
/// rank 1, … (counts [ranks]). Collective.
index::DeviceTopK return_and_merge(gpu::Collectives& collectives, const index::DeviceTopK& found,
                                   std::span<const std::int64_t> counts);

}  // namespace knnseq::retrieval
