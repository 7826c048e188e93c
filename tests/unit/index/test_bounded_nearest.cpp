#include <catch2/catch.hpp>

#include "index/quantize/nearest_centroids.hpp"
#include "unit/index/nearest_cases.hpp"

using namespace knnseq;
using index::Metric;

namespace {

/// Every distance, one after the other.
at::Tensor plain_nearest(const at::Tensor& x, const at::Tensor& centroids, Metric metric) {
  const std::int64_t d = x.size(1);
  at::Tensor result = at::empty({x.size(0)}, at::kInt);
  for (std::int64_t i = 0; i < x.size(0); ++i) {
    const float* row = x.const_data_ptr<float>() + i * d;
    float lowest = std::numeric_limits<float>::infinity();
    for (std::int64_t c = 0; c < centroids.size(0); ++c) {
      const float* centroid = centroids.const_data_ptr<float>() + c * d;
      double sum = 0;
      for (std::int64_t j = 0; j < d; ++j) {
        const double a = row[j];
        const double b = centroid[j];
        sum += index::is_inner_product(metric) ? -a * b : (a - b) * (a - b);
      }
      if (static_cast<float>(sum) >= lowest) continue;
      lowest = static_cast<float>(sum);
      result.mutable_data_ptr<std::int32_t>()[i] = static_cast<std::int32_t>(c);
    }
  }
  return result;
}

/// Of one row, on average.
double measured_share(const index::BoundedNearest& nearest, const at::Tensor& x) {
  std::int64_t measured = 0;
  nearest.nearest(x, &measured);
  return static_cast<double>(measured) / static_cast<double>(x.size(0));
}

}  // namespace

TEST_CASE("the nearest by products of rounded vectors is exactly that of all distances") {
  const auto metric = GENERATE(Metric::l2, Metric::ip, Metric::cos);
  const auto dtype = GENERATE(at::kBFloat16, at::kFloat);
  for (const auto& data : test::nearest_cases(metric)) {
    INFO(data.name << ", metric " << static_cast<int>(metric) << ", " << at::toString(dtype));
    const at::Tensor got = index::BoundedNearest(data.centroids, metric, dtype).nearest(data.x);
    CHECK(got.scalar_type() == at::kInt);
    CHECK(at::equal(got, plain_nearest(data.x, data.centroids, metric)));
  }
}

TEST_CASE("a scan by tensors takes bf16 products, and a row's nearest depends on nothing beside") {
  const at::Tensor centroids = test::clustered(3000, 48, 7);
  const at::Tensor x = test::clustered(5000, 48, 8);  // more than a tile of rows
  const index::CentroidScan scan(centroids, Metric::l2, gpu::ComputePath::torch);
  const at::Tensor together = scan.nearest(x);
  CHECK(at::equal(together, index::BoundedNearest(centroids, Metric::l2, at::kFloat).nearest(x)));
  CHECK(at::equal(together.slice(0, 777, 1000), scan.nearest(x.slice(0, 777, 1000))));
  CHECK(scan.nearest(x.slice(0, 0, 0)).size(0) == 0);
}

TEST_CASE("few distances are measured, wherever the vectors lie") {
  const std::int64_t k = 4000;
  const at::Tensor centroids = test::clustered(k, 64, 9);
  const at::Tensor x = test::clustered(2000, 64, 9) + 0.1 * test::normal(2000, 64, 10);
  for (const double mean : {0.0, 1000.0}) {
    const index::BoundedNearest bf16(centroids + mean, Metric::l2);
    const index::BoundedNearest fp32(centroids + mean, Metric::l2, at::kFloat);
    const double by_bf16 = measured_share(bf16, x + mean);
    const double by_fp32 = measured_share(fp32, x + mean);
    INFO("mean " << mean << ": " << by_bf16 << " by bf16, " << by_fp32 << " by fp32");
    CHECK(by_bf16 >= index::ScoreBounds::group);
    CHECK(by_bf16 < 4 * index::ScoreBounds::group);
    CHECK(by_fp32 < 1.1 * index::ScoreBounds::group);
  }
}

TEST_CASE("what is no number leaves the other rows alone") {
  const at::Tensor centroids = test::clustered(100, 16, 11);
  const at::Tensor x = test::clustered(50, 16, 12);
  const at::Tensor expected = plain_nearest(x, centroids, Metric::l2);
  x.select(0, 20).fill_(std::numeric_limits<float>::quiet_NaN());
  const at::Tensor got = index::BoundedNearest(centroids, Metric::l2).nearest(x);
  CHECK(at::equal(got.slice(0, 0, 20), expected.slice(0, 0, 20)));
  CHECK(at::equal(got.slice(0, 21), expected.slice(0, 21)));
  CHECK(got[20].item<int>() == 0);
}
