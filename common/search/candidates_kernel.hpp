// Finding the few log-probs of a row that matter, on CPUs.
#pragma once

#include <cstdint>

#include "core/instruction_set.hpp"

namespace knnseq::search {

/// Values that are looked at together.
inline constexpr std::int64_t candidates_together = 64;

struct CandidatesKernel {
  core::InstructionSet set;
  /// Where the first group of candidates_together values begins, counted from `begin` on, of which
  /// one plus `score` is above `limit` (NaN is not); `count` if there is none. The last group may
  /// be shorter.
  std::int64_t (*next_above)(const float* values, std::int64_t begin, std::int64_t count,
                             float score, float limit);
};

/// candidates_kernel.cpp, compiled for this instruction set.
template <core::InstructionSet set>
CandidatesKernel candidates_kernel();

}  // namespace knnseq::search
