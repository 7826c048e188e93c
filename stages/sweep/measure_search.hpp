// Recall and time of one index with several search settings.
#pragma once

#include <vector>

#include <ATen/ATen.h>

#include "index/core/top_k.hpp"
#include "retrieval/distributed_search.hpp"
#include "stages/sweep/search_settings.hpp"
#include "stages/sweep/sweep_row.hpp"

namespace knnseq::stages {

/// The queries, and their exact neighbours.
struct SearchTask {
  at::Tensor queries;           ///< fp32 [q, width], the same on every rank
  index::TopK truth;            ///< [q, more than the largest k], entry numbers as ids
  std::vector<std::int64_t> k;  ///< ascending
};

/// Searches for the largest k in blocks of 160 queries, distributed over the ranks, three times.
/// Recall at each k among the first k found; microseconds a query: all ranks' time (that of the
/// slowest, the median of the three) by all queries. The result is the same on every rank, and
/// recall for any number of ranks (but of HNSW, whose graphs differ). Collective.
SweepPoint measure_search(comm::Communicator& comm, retrieval::DistributedSearch& search,
                          const SearchTask& task, const NamedSetting& setting);

}  // namespace knnseq::stages
