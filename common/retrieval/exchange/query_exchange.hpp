// Queries on their way to all ranks, and partial results on their way back to those that asked.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <ATen/ATen.h>

#include "comm/communicator.hpp"
#include "gpu/collectives.hpp"
#include "index/core/probes.hpp"
#include "index/core/top_k.hpp"

namespace knnseq::retrieval {

/// Queries of one or more ranks, one after another.
struct PreparedQueries {
  at::Tensor rotated;    ///< fp32 [q, d_out]
  index::Probes probes;  ///< [q, nprobe]
};

/// What all ranks ask in one exchange, in rank order.
struct GatheredQueries {
  std::vector<std::int64_t> statuses;  ///< [ranks], as each rank gave its own
  std::vector<std::int64_t> counts;    ///< [ranks] queries
  PreparedQueries all;
};

// gather_queries(): all ranks' queries from each rank's own; any rank may have none. `status` is
// free for the caller.
//
// return_results(): `found` holds what this rank has found for the queries of rank 0, then of rank
// 1, … (counts [ranks]). Each rank gets what all ranks have found for its own queries, side by side
// in rank order: [q, ranks · k], to be merged by index::merge_top_k_cpu() or _torch().
//
// All are collective.

// By messages between hosts' memories (query_exchange_cpu.cpp): one exchange of the communicator
// each, which is under way from start_…() to collect_…().

void start_gathering(comm::Communicator& comm, const PreparedQueries& mine, std::int64_t status);
/// nprobe and width are those of `mine`.
GatheredQueries collect_queries(comm::Communicator& comm, const PreparedQueries& mine);

void start_returning(comm::Communicator& comm, const index::TopK& found,
                     std::span<const std::int64_t> counts);
/// For the rank's own `queries`, k from each rank.
index::TopK collect_results(comm::Communicator& comm, std::int64_t queries, std::int64_t k);

/// Both at once.
index::TopK return_results(comm::Communicator& comm, const index::TopK& found,
                           std::span<const std::int64_t> counts);

// By tensors that stay on their devices (query_exchange_torch.cpp).

/// Statuses and counts go first, through the host; then one collective of the devices, and none if
/// nobody asks anything.
GatheredQueries gather_queries(comm::Communicator& comm, gpu::Collectives& collectives,
                               const PreparedQueries& mine, std::int64_t status);
index::TopK return_results(gpu::Collectives& collectives, const index::TopK& found,
                           std::span<const std::int64_t> counts);

}  // namespace knnseq::retrieval
