// A picture of a few vectors of a large space.
#pragma once

#include <array>
#include <vector>

#include <ATen/ATen.h>

namespace knnseq::stages {

/// Vectors seen in the plane in which they lie apart most.
struct Plane {
  std::vector<std::array<double, 2>> points;  ///< in units of the vectors; their mean is (0, 0)
  double variance = 0;                        ///< share of their variance that the plane shows
};

/// The first two principal components of vectors [n, d] (n ≥ 1, of any floating type). An axis
/// points to where the first vector lies, or, where that is 0, the first that is not. A single
/// vector, and vectors that are all the same, lie at (0, 0).
Plane principal_plane(const at::Tensor& vectors);

}  // namespace knnseq::stages
