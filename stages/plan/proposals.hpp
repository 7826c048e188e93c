// What plan would choose.
#pragma once

#include <string>
#include <vector>

#include "stages/shared/plan/needs.hpp"

namespace knnseq::stages {

/// The nodes of a run.
struct Cluster {
  std::int64_t ranks = 1;
  std::int64_t nodes = 1;
  std::int64_t node_bytes = 0;  ///< memory that a node has for the index
};

/// Lines of "key: value (reason)":
/// - lists: a power of two next to 4 √entries, below which faiss's guidelines begin;
/// - bytes a code: the most of 64, 32, 16 and 8 with which all nodes together hold the index once;
/// - sample: 64 vectors a list, of which k-means needs 39;
/// - shards: a multiple of the ranks, of at most 2 GiB of codes;
/// - copies: a node's where it has room; else the nodes that share one.
std::vector<std::string> propose(const Needs& needs, const Cluster& cluster);

}  // namespace knnseq::stages
