// The memory of a run's stages, as far as it depends on the sizes of what they work on.
#pragma once

#include <string>
#include <vector>

#include "stages/shared/options/options.hpp"
#include "stages/shared/plan/needs.hpp"

namespace knnseq::stages {

/// The program with its libraries, once a rank (docs/benchmarks.md).
inline constexpr std::int64_t program_bytes = std::int64_t{160} << 20;

/// What a stage takes beside program, model and buffers of a fixed size.
struct StageMemory {
  std::string stage;
  std::int64_t of_rank = 0;
  std::int64_t of_host = 0;  ///< once, whatever the number of its ranks
};

/// Of partition, encode, train, add, and decode (plain kNN; the most that an item takes). Where
/// knn.copies is auto, decode's ranks hold one copy together, as they do where no node has room.
std::vector<StageMemory> plan_memory(const Options& options, const Needs& needs,
                                     std::int64_t ranks);

}  // namespace knnseq::stages
