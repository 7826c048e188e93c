#include "retrieval/mixing/knn_options.hpp"

#include <cmath>

#include <fmt/format.h>

#include "core/error.hpp"

namespace knnseq::retrieval {

void KnnOptions::validate() const {
  if (!(temperature > 0) || !std::isfinite(temperature)) {
    throw core::InputError(fmt::format("temperature is {}, it must be positive", temperature));
  }
  if (!(lambda >= 0 && lambda <= 1)) {
    throw core::InputError(fmt::format("lambda is {}, it must be between 0 and 1", lambda));
  }
  if (threshold && !std::isfinite(*threshold)) {
    throw core::InputError(fmt::format("threshold is {}, it must be a finite number", *threshold));
  }
}

KnnOptions KnnOptions::share_of(std::size_t datastore, std::size_t count) const {
  KnnOptions options = *this;
  const float share = lambda / static_cast<float>(count);
  options.lambda = share / (1.0f - share * static_cast<float>(count - 1 - datastore));
  return options;
}

}  // namespace knnseq::retrieval
