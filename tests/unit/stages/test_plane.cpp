// Vectors in the plane of their two principal components.
#include <cmath>

#include <catch2/catch.hpp>

#include "stages/shared/trace/plane.hpp"

using namespace knnseq;

namespace {

double distance(const stages::Plane& plane, std::size_t a, std::size_t b) {
  return std::hypot(plane.points[a][0] - plane.points[b][0],
                    plane.points[a][1] - plane.points[b][1]);
}

}  // namespace

TEST_CASE("vectors of a plane keep their distances, however it lies") {
  const at::Tensor flat =
      at::tensor({3.0F, 4.0F, 0.0F, 0.0F, -6.0F, 2.0F, 1.0F, 1.0F}).view({4, 2});
  at::manual_seed(1);
  const at::Tensor axes = std::get<0>(at::linalg_qr(at::randn({64, 2})));
  const auto plane = stages::principal_plane(flat.matmul(axes.t()) + 7);
  REQUIRE(plane.points.size() == 4);
  CHECK(plane.variance == Approx(1).margin(1e-6));
  CHECK(distance(plane, 0, 1) == Approx(5).margin(1e-4));
  CHECK(distance(plane, 1, 3) == Approx(std::sqrt(2)).margin(1e-4));
  CHECK(plane.points[0][0] > 0);  // axes point to where the first one lies
  CHECK(plane.points[0][1] > 0);
  double sum = 0;
  for (const auto& point : plane.points) sum += point[0];
  CHECK(sum == Approx(0).margin(1e-4));
}

TEST_CASE("the plane shows what varies most, and says how much of it") {
  // Variances 9, 4 and 1 of three axes.
  const at::Tensor points = at::tensor({3.F, 0.F, 0.F, -3.F, 0.F, 0.F, 0.F, 2.F, 0.F, 0.F, -2.F,
                                        0.F, 0.F, 0.F, 1.F, 0.F, 0.F, -1.F})
                                .view({6, 3});
  const auto plane = stages::principal_plane(points);
  CHECK(plane.variance == Approx(13.0 / 14));
  CHECK(plane.points[0][0] == Approx(3));
  CHECK(plane.points[1][0] == Approx(-3));
  CHECK(std::abs(plane.points[2][1]) == Approx(2));
  CHECK(std::hypot(plane.points[4][0], plane.points[4][1]) == Approx(0).margin(1e-6));
}

TEST_CASE("one vector, two, and many that are the same") {
  for (const auto n : {1, 5}) {
    const auto same = stages::principal_plane(at::full({n, 8}, 2.5F));
    CHECK(same.variance == 0);
    for (const auto& point : same.points) CHECK(point == std::array<double, 2>{0, 0});
  }
  const auto two = stages::principal_plane(at::tensor({0.F, 0.F, 6.F, 8.F}).view({2, 2}));
  CHECK(two.variance == Approx(1));
  CHECK(two.points[0][0] == Approx(5));
  CHECK(two.points[1][0] == Approx(-5));
  CHECK(two.points[1][1] == Approx(0).margin(1e-6));
}
