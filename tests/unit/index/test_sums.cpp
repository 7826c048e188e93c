#include <numeric>

#include <catch2/catch.hpp>

#include "comm/self_communicator.hpp"
#include "core/error.hpp"
#include "core/random.hpp"
#include "index/sample/cluster_sums.hpp"
#include "index/sample/fixed_point_sum.hpp"
#include "index/train/split_clusters.hpp"
#include "support/normal.hpp"

using namespace knnseq;

TEST_CASE("fixed-point sums do not depend on the order and are exact where fp64 is") {
  core::Random random(1);
  std::vector<float> values(10000);
  for (float& value : values) value = static_cast<float>(test::normal(random) * 100);
  const auto self = comm::make_self_communicator();
  const auto fixed = index::agree_on_fixed_point(*self, index::largest_magnitude(values), 10000);
  index::FixedPointSum forward(fixed, 1);
  index::FixedPointSum backward(fixed, 1);
  for (std::size_t i = 0; i < values.size(); ++i) {
    forward.add_at(0, values[i]);
    backward.add_at(0, values[values.size() - 1 - i]);
  }
  const double sum = forward.total(*self).front();
  CHECK(sum == backward.total(*self).front());
  CHECK(sum == Approx(std::accumulate(values.begin(), values.end(), 0.0)).epsilon(1e-9));
}

TEST_CASE("the largest sum that was announced fits") {
  for (const double largest : {0.0, 1e-30, 1.0, 3.0, 1e30}) {
    for (const std::int64_t terms : {std::int64_t{1}, std::int64_t{1000}, std::int64_t{1} << 40}) {
      const index::FixedPoint fixed(largest, terms);
      const double sum = fixed.value(fixed.round(-largest) * terms);
      CHECK(sum == Approx(-largest * static_cast<double>(terms)).epsilon(1e-5));
    }
  }
}

TEST_CASE("numbers that are not finite are refused") {
  const auto self = comm::make_self_communicator();
  const std::vector<float> values = {1, std::numeric_limits<float>::quiet_NaN()};
  CHECK_THROWS_AS(index::agree_on_fixed_point(*self, index::largest_magnitude(values), 2),
                  core::InputError);
}

TEST_CASE("cluster sums give means, counts and the error") {
  const std::vector<float> x = {0, 0, 2, 4, 10, 10};
  const std::vector<std::int32_t> assignment = {0, 0, 2};
  const at::Tensor centroids = at::tensor({1.F, 1.F, 5.F, 5.F, 9.F, 9.F}).view({3, 2});
  const auto self = comm::make_self_communicator();
  index::TrainContext context(*self);
  context.path = GENERATE(gpu::ComputePath::cpu, gpu::ComputePath::torch);
  index::ClusterSums sums(context, index::FixedPoint(10, 3), 3, 2);
  if (context.path == gpu::ComputePath::torch) {
    sums.add(at::tensor(x).view({3, 2}), at::tensor(assignment));
  } else {
    sums.add(std::vector<const float*>{x.data(), x.data() + 2, x.data() + 4}, assignment);
  }
  sums.reduce();
  const double squares = 4 + 16 + 100 + 100;
  CHECK(squares - sums.explained_sum_of_squares(centroids) == Approx(2 + 10 + 2));
  const at::Tensor wanted = at::tensor({1.F, 2.F, 5.F, 5.F, 10.F, 10.F}).view({3, 2});
  CHECK(at::equal(sums.means(centroids), wanted));
  CHECK(at::equal(sums.counts(), at::tensor({2, 0, 1}, at::kLong)));
}

TEST_CASE("empty clusters take half of a large one") {
  std::vector<float> centroids = {1, 1, 0, 0, 2, 2};
  std::vector<std::int64_t> counts = {1, 0, 99};
  core::Random random(3);
  CHECK(index::split_empty_clusters({centroids.data(), 3, 2}, counts, random) == 1);
  CHECK(counts == std::vector<std::int64_t>{1, 49, 50});
  CHECK(centroids[2] + centroids[4] == Approx(4));
  CHECK(centroids[2] > 2);
  CHECK(centroids[3] < 2);
}
