#include "index/core/parallel.hpp"

#include <ATen/Parallel.h>

namespace knnseq::index {

void parallel_for(std::int64_t count, const std::function<void(std::int64_t)>& body) {
  parallel_ranges(count, [&](core::Range range) {
    for (std::int64_t i = range.begin; i < range.end; ++i) body(i);
  });
}

void parallel_ranges(std::int64_t count, const std::function<void(core::Range)>& body) {
  at::parallel_for(0, count, 1, [&](std::int64_t begin, std::int64_t end) { body({begin, end}); });
}

}  // namespace knnseq::index
