// Which ranks work on which shards.
#pragma once

#include <memory>
#include <vector>

#include "comm/communicator.hpp"

namespace knnseq::runtime {

/// The shards this rank works on and the ranks that work on the same ones. With P ≤ S a rank is
/// alone and has shards r, r + P, …; with P > S ranks r, r + S, … share shard r mod S.
struct ShardTeam {
  std::unique_ptr<comm::Communicator> comm;
  std::vector<std::int64_t> shards;

  int member() const { return comm->rank(); }
  int members() const { return comm->size(); }
};

/// Collective on `all`.
ShardTeam make_shard_team(comm::Communicator& all, std::int64_t shards);

/// "shard-00042"
std::string shard_name(std::int64_t shard);
/// 42 of "shard-00042". Throws core::InputError for other names.
std::int64_t shard_number(const std::string& name);

}  // namespace knnseq::runtime
