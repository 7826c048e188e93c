#include <catch2/catch.hpp>

#include "gpu_device.hpp"
#include "index/quantize/nearest_centroids.hpp"
#include "unit/index/nearest_cases.hpp"

using namespace knnseq;
using index::BoundedNearest;
using index::Metric;

TEST_CASE("the GPU's nearest centroids by bf16 products are the CPU's, every one") {
  const auto metric = GENERATE(Metric::l2, Metric::ip, Metric::cos);
  const auto dtype = GENERATE(at::kBFloat16, at::kFloat);
  for (const auto& data : test::nearest_cases(metric)) {
    INFO(data.name << ", metric " << static_cast<int>(metric) << ", " << at::toString(dtype));
    const at::Tensor there =
        BoundedNearest(data.centroids.to(gpu_device), metric, dtype).nearest(data.x.to(gpu_device));
    CHECK(there.device() == gpu_device);
    CHECK(
        at::equal(there.cpu(), BoundedNearest(data.centroids, metric, at::kFloat).nearest(data.x)));
  }
}

TEST_CASE("with many lists bf16 products leave the result as it is, and few distances to measure") {
  const auto [lists, d] =
      GENERATE(std::pair<int, int>{131072, 64}, std::pair<int, int>{16384, 1024});
  const auto metric = GENERATE(Metric::l2, Metric::ip);
  const at::Tensor centroids = test::clustered(lists, d, 3).to(gpu_device);
  const at::Tensor x =
      centroids.slice(0, 0, 10000) + 0.1 * test::normal(10000, d, 4).to(gpu_device);
  std::int64_t measured = 0;
  const at::Tensor by_bf16 = BoundedNearest(centroids, metric).nearest(x, &measured);
  const double mean = static_cast<double>(measured) / 10000;
  INFO(lists << " lists, " << d << " dimensions: " << mean << " distances measured a row");
  CHECK(at::equal(by_bf16, BoundedNearest(centroids, metric, at::kFloat).nearest(x)));
  CHECK(mean < 40 * index::ScoreBounds::group);
}
