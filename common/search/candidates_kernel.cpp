#include "search/candidates_kernel.hpp"

#include "core/compiled_for.hpp"

namespace knnseq::search {

namespace {

std::int64_t next_above(const float* values, std::int64_t begin, std::int64_t count, float score,
                        float limit) {
  std::int64_t group = begin;
  for (; group + candidates_together <= count; group += candidates_together) {
    const float* const here = values + group;
    std::int32_t above = 0;  // as wide as a float, so that a register holds as many
    for (int i = 0; i < candidates_together; ++i) {
      above |= static_cast<std::int32_t>(score + here[i] > limit);
    }
    if (above != 0) return group;
  }
  for (std::int64_t i = group; i < count; ++i) {
    if (score + values[i] > limit) return group;
  }
  return count;
}

}  // namespace

template <>
CandidatesKernel candidates_kernel<core::compiled_for>() {
  return {core::compiled_for, next_above};
}

}  // namespace knnseq::search
