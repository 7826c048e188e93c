#include "stages/shared/trace/plane.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace knnseq::stages {

Plane principal_plane(const at::Tensor& vectors) {
  const at::Tensor there = vectors.to(at::kCPU, at::kDouble);
  const at::Tensor centred = there - there.mean(0, true);
  const auto n = there.size(0);
  Plane plane{std::vector<std::array<double, 2>>(static_cast<std::size_t>(n)), 0};
  const at::Tensor products = centred.matmul(centred.t());
  const double whole = products.trace().item<double>();
  // Vectors that are the same but for rounding.
  if (whole <= 1e-12 * there.square().sum().item<double>()) {
    return plane;
  }
  // The products of n vectors have the eigenvalues of the much larger covariance.
  const auto [values, axes] = at::linalg_eigh(products);  // ascending
  for (std::size_t i = 0; i < 2 && std::cmp_less(i, n); ++i) {
    const double value = std::max(values[n - 1 - static_cast<std::int64_t>(i)].item<double>(), 0.0);
    const at::Tensor axis =
        (axes.select(1, n - 1 - static_cast<std::int64_t>(i)) * std::sqrt(value)).contiguous();
    const auto* coordinate = axis.const_data_ptr<double>();
    const double least = 1e-9 * std::sqrt(whole);
    const auto* first =
        std::find_if(coordinate, coordinate + n, [&](double at) { return std::abs(at) > least; });
    const double sign = first != coordinate + n && *first < 0 ? -1 : 1;
    for (std::int64_t j = 0; j < n; ++j) {
      plane.points[static_cast<std::size_t>(j)][i] = sign * coordinate[j];
    }
    plane.variance += value / whole;
  }
  return plane;
}

}  // namespace knnseq::stages
