// Which rank holds which sentence.
#pragma once

#include <cstdint>

namespace knnseq::retrieval {

/// Sentences lie with the ranks that work on their shard (runtime::ShardTeam): with P ≤ S rank
/// shard mod P, else the ranks shard, shard + S, … take turns by the sentence's number.
struct ShardHolders {
  std::int64_t ranks = 1;
  std::int64_t shards = 1;

  std::int64_t rank_of(std::int64_t shard, std::int64_t number) const {
    if (ranks <= shards) return shard % ranks;
    const std::int64_t members = (ranks - 1 - shard) / shards + 1;
    return shard + number % members * shards;
  }
};

}  // namespace knnseq::retrieval
