// The exact neighbours that searches are compared with.
#pragma once

#include <vector>

#include "index/core/index_spec.hpp"
#include "index/core/top_k.hpp"
#include "stages/sweep/own_keys.hpp"

namespace knnseq::stages {

/// The true neighbours of some queries in some shares of the datastore, in the order of the shares;
/// entry numbers as ids.
struct ExactAnswers {
  std::vector<index::TopK> truth;
  std::vector<std::int64_t> entries;  ///< of each share
};

struct ExactTask {
  at::Tensor queries;  ///< fp32 [q, width], the same on every rank
  index::Metric metric = index::Metric::l2;
  std::vector<std::int64_t> shares;  ///< at most 64
  std::int64_t k = 0;
};

/// One pass over the keys by all ranks. Every rank gets all. Collective.
ExactAnswers find_exactly(runtime::StageContext& context, const KeySource& source,
                          const runtime::ShardTeam& team, const ExactTask& task);

}  // namespace knnseq::stages
