#include "stages/plan/proposals.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include <fmt/format.h>

#include "obs/progress_meter.hpp"

namespace knnseq::stages {

namespace {

constexpr std::int64_t id_bytes = 8;
constexpr std::int64_t shard_bytes = std::int64_t{2} << 30;

/// Below this many entries all can be compared with a query.
constexpr std::int64_t least_for_lists = 10'000;

std::int64_t next_power_of_two(double value) {
  return std::int64_t{1} << std::llround(std::log2(std::max(value, 1.0)));
}

std::int64_t lists_for(std::int64_t entries) {
  return next_power_of_two(4 * std::sqrt(static_cast<double>(entries)));
}

/// Sub-vectors of a code, the most that fit; 0: none do.
std::int64_t code_for(std::int64_t entries, std::int64_t width, const Cluster& cluster) {
  for (const std::int64_t m : {64, 32, 16, 8}) {
    if (width % m != 0) continue;
    if (entries * (m + id_bytes) <= cluster.nodes * cluster.node_bytes) return m;
  }
  return 0;
}

std::int64_t rounded_up(std::int64_t n, std::int64_t multiple) {
  return (n + multiple - 1) / multiple * multiple;
}

}  // namespace

std::vector<std::string> propose(const Needs& needs, const Cluster& cluster) {
  const std::int64_t entries = needs.corpus.entries;
  if (entries < least_for_lists) {
    return {"index.factory: Flat (few entries: every query is compared with all of them)"};
  }
  const auto m = code_for(entries, needs.width, cluster);
  if (m == 0) {
    const auto nodes = (entries * (8 + id_bytes) + cluster.node_bytes - 1) / cluster.node_bytes;
    return {fmt::format("nodes: {} (with fewer not even codes of 8 bytes fit the memory)", nodes)};
  }
  const auto lists = lists_for(entries);
  const std::int64_t index = entries * (m + id_bytes);
  // OPQ may halve the width where a sub-vector keeps two dimensions.
  const std::int64_t d_out = std::max(2 * m, needs.width / 4 / m * m);
  const std::string rotation =
      d_out < needs.width ? fmt::format("OPQ{}_{}", m, d_out) : fmt::format("OPQ{}", m);
  const std::int64_t sample = std::min(entries, 64 * lists);
  const std::int64_t shards = rounded_up((index + shard_bytes - 1) / shard_bytes, cluster.ranks);
  std::vector<std::string> lines = {
      fmt::format("index.factory: {},IVF{},PQ{} (lists: about 4 √entries; codes: the longest that "
                  "the nodes hold, {} in all)",
                  rotation, lists, m, obs::as_bytes(index)),
      fmt::format("datastore.sample: {} (64 vectors a list)", sample),
      fmt::format("shards: {} (a multiple of {} ranks, at most 2 GiB each)", shards,
                  cluster.ranks)};
  const auto groups = (index + cluster.node_bytes - 1) / cluster.node_bytes;
  lines.push_back(groups <= 1 ? fmt::format("knn.copies: node (a copy takes {} of a node's {})",
                                            obs::as_bytes(index), obs::as_bytes(cluster.node_bytes))
                              : fmt::format("knn.copies: nodes, {} at least (one holds {})", groups,
                                            obs::as_bytes(cluster.node_bytes)));
  return lines;
}

}  // namespace knnseq::stages
