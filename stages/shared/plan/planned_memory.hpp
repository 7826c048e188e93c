// The memory of a run's stages, as far as it depends on the sizes of what they work on.
#pragma once

#include <string>
#include <vector>

#include "stages/shared/options/options.hpp"
#include "stages/shared/plan/needs.hpp"
#include "stages/shared/plan/subset_memory.hpp"

namespace knnseq::stages {

/// The program with its libraries, once a rank (docs/benchmarks.md).
inline constexpr std::int64_t program_bytes = std::int64_t{160} << 20;

/// The name of decode's items in subsets, and of translation memories.
inline constexpr const char* subset_decoding = "decode in subsets";

/// What a stage takes beside program, model and buffers of a fixed size.
struct StageMemory {
  std::string stage;
  std::int64_t of_rank = 0;
  std::int64_t of_host = 0;  ///< once, whatever the number of its ranks
};

/// Of partition, encode, train, add, decode (plain kNN; the most that an item takes), and, if the
/// config has such items, decode in subsets. Where knn.copies is auto, decode's ranks hold one copy
/// together, as they do where no node has room.
std::vector<StageMemory> plan_memory(const Options& options, const Needs& needs,
                                     std::int64_t ranks);

/// What subset_memory() says of the config's subsets.
SubsetMemory subset_copy(const Options& options, const Needs& needs);

}  // namespace knnseq::stages
