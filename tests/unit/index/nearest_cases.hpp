// Vectors and centroids that make it hard to tell the nearest one without measuring all.
#pragma once

#include <string>
#include <vector>

#include "index/core/normalised.hpp"
#include "unit/index/synthetic.hpp"

namespace knnseq::test {

/// Each number a step of fp32 up, down, or as it was.
inline at::Tensor nudged(const at::Tensor& x, std::uint64_t seed) {
  const at::Tensor steps = at::round(normal(x.size(0), x.size(1), seed)).clamp(-1, 1);
  const at::Tensor up = at::nextafter(x, at::full_like(x, 1e30));
  const at::Tensor down = at::nextafter(x, at::full_like(x, -1e30));
  return at::where(steps > 0, up, at::where(steps < 0, down, x)).contiguous();
}

/// Vectors of 24 dimensions, fp32.
struct NearestCase {
  std::string name;
  at::Tensor x;
  at::Tensor centroids;
};

inline std::vector<NearestCase> nearest_cases(index::Metric metric) {
  const at::Tensor x = clustered(600, 24, 3);
  const at::Tensor few = clustered(40, 24, 4);
  const at::Tensor many = clustered(1700, 24, 5);  // more than a chunk, and a part of a group
  std::vector<NearestCase> result = {
      {"one centroid", x, few.slice(0, 0, 1)},
      {"few centroids", x, few},
      {"many centroids", x, many},
      {"independent numbers", normal(400, 24, 1), normal(1500, 24, 2)},
      {"a large mean", x + 300, many + 300},
      {"centroids three times", x, at::cat({many, few, many, many})},
      {"all centroids equal", x, few.slice(0, 0, 1).expand({300, 24}).contiguous()},
      {"rows that are centroids", many.slice(0, 900), many},
      {"differences of one step", at::cat({few, few * 1.01}),
       at::cat({nudged(few, 6), nudged(few, 7), few, nudged(few, 8)})},
      {"centroids of all sizes", x, many * at::logspace(-3, 3, 1700, 10.0).unsqueeze(1)},
      {"rows of all sizes", x * at::logspace(-6, 6, 600, 10.0).unsqueeze(1), many},
      {"a row of zeros", at::cat({at::zeros({1, 24}), x}), many},
  };
  if (metric != index::Metric::cos) return result;
  for (NearestCase& of_length_1 : result) {
    of_length_1.x = index::normalised(of_length_1.x);
    of_length_1.centroids = index::normalised(of_length_1.centroids);
  }
  return result;
}

}  // namespace knnseq::test
