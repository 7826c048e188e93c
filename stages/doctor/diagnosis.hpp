// Finds misconfigurations.
#pragma once

#include <string>
#include <vector>

#include "stages/doctor/library_facts.hpp"
#include "stages/doctor/rank_facts.hpp"

namespace knnseq::stages {

/// One line for each thing that makes results wrong, work slow or a start fail, with what to do.
/// `ranks`: of all ranks in their order; `threads`: of each rank.
std::vector<std::string> diagnose(const LibraryFacts& libraries,
                                  const std::vector<RankFacts>& ranks, std::int64_t threads);

}  // namespace knnseq::stages
