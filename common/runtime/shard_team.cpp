#include "runtime/shard_team.hpp"

#include <charconv>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "core/error.hpp"

namespace knnseq::runtime {

ShardTeam make_shard_team(comm::Communicator& all, std::int64_t shards) {
  ShardTeam team;
  const auto ranks = static_cast<std::int64_t>(all.size());
  const auto rank = static_cast<std::int64_t>(all.rank());
  team.comm = all.split(static_cast<int>(ranks > shards ? rank % shards : rank));
  for (std::int64_t shard = ranks > shards ? rank % shards : rank; shard < shards; shard += ranks) {
    team.shards.push_back(shard);
  }
  return team;
}

std::string shard_name(std::int64_t shard) { return fmt::format("shard-{:05}", shard); }

std::int64_t shard_number(const std::string& name) {
  constexpr std::string_view prefix = "shard-";
  std::int64_t shard = 0;
  if (name.starts_with(prefix)) {
    std::from_chars(name.data() + prefix.size(), name.data() + name.size(), shard);
  }
  if (shard < 0 || shard_name(shard) != name) throw core::InputError(name, "is not a shard's name");
  return shard;
}

}  // namespace knnseq::runtime
