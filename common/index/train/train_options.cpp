#include "index/train/train_options.hpp"

#include <fmt/format.h>

#include "core/error.hpp"

namespace knnseq::index {

void TrainOptions::validate() const {
  const auto at_least = [](const char* name, std::int64_t value, std::int64_t least) {
    if (value < least) {
      throw core::InputError(fmt::format("{} is {}, it must be at least {}", name, value, least));
    }
  };
  at_least("coarse_iterations", coarse_iterations, 1);
  at_least("opq_iterations", opq_iterations, 0);
  at_least("opq_pq_iterations", opq_pq_iterations, 1);
  at_least("opq_first_pq_iterations", opq_first_pq_iterations, 1);
  at_least("pq_iterations", pq_iterations, 1);
  if (!(opq_tolerance >= 0 && opq_tolerance < 1)) {
    throw core::InputError(
        fmt::format("opq_tolerance is {}, it must be from 0 to below 1", opq_tolerance));
  }
  at_least("max_points_per_centroid", max_points_per_centroid, 0);
}

}  // namespace knnseq::index
