#include <catch2/catch.hpp>

#include "index/device_pq.hpp"
#include "index/product_quantizer_training.hpp"
#include "unit/index/synthetic.hpp"

using namespace knnseq;
using index::Forms;

namespace {

index::Coder coder_of(const index::Codebook& codebook, Forms forms) {
  return {codebook, at::kCPU, forms};
}

double share_equal(const at::Tensor& a, const at::Tensor& b) {
  return (a == b).to(at::kDouble).mean().item<double>();
}

/// More lists than one tile of products holds, some of them twice.
index::Codebook many_lists(const std::string& metric) {
  auto codebook = test::random_codebook(index::parse_index_spec("IVF20000,PQ4", 16, metric));
  codebook.coarse_centroids.narrow(0, 18000, 100)
      .copy_(codebook.coarse_centroids.narrow(0, 300, 100).clone());
  return codebook;
}

}  // namespace

TEST_CASE("the device's nearest lists are the kernels' but for near ties") {
  const auto codebook = many_lists(GENERATE("l2", "ip"));
  const at::Tensor copied = codebook.coarse_centroids.narrow(0, 300, 100);
  const at::Tensor x = at::cat({test::normal(5000, 16, 3), copied * 3});
  const at::Tensor lists = coder_of(codebook, Forms::kernels).assign_exact(x);
  const at::Tensor by_tensors = coder_of(codebook, Forms::tensors).assign_exact(x);
  CHECK(by_tensors.scalar_type() == at::kInt);
  CHECK(share_equal(lists, by_tensors) >= 0.999);
  // Of two equal centroids, in two tiles, the first.
  CHECK((by_tensors < 18000).logical_or(by_tensors >= 18100).all().item<bool>());
}

TEST_CASE("the device's probes are the kernels'") {
  const auto codebook = many_lists(GENERATE("l2", "ip"));
  const at::Tensor copied = codebook.coarse_centroids.narrow(0, 300, 50);
  const at::Tensor x = at::cat({test::normal(100, 16, 3), copied});
  const auto width = GENERATE(1, 32, 20000);
  if (width == 20000 && codebook.spec.metric == index::Metric::ip) return;  // slow, the same code
  const auto probes = coder_of(codebook, Forms::kernels).probe(x, width);
  const auto by_tensors = coder_of(codebook, Forms::tensors).probe(x, width);
  CHECK(at::allclose(by_tensors.distances, probes.distances, 1e-5, 1e-5));
  CHECK(share_equal(probes.lists, by_tensors.lists) >= 0.999);
  const at::Tensor order = by_tensors.distances;
  CHECK((order.slice(1, 1) >= order.slice(1, 0, width - 1)).all().item<bool>());
}

TEST_CASE("the device's PQ codes are the kernels' but for near ties, and decode alike") {
  const auto [m, dsub] = GENERATE(std::pair<int, int>{4, 4}, std::pair<int, int>{3, 5});
  const at::Tensor centroids = test::normal(m * 256, dsub, 4).view({m, 256, dsub});
  const at::Tensor x = test::normal(3000, m * dsub, 5);
  const at::Tensor codes = index::pq_encode(x, centroids);
  const at::Tensor by_products = index::device_pq_codes_by_products(x, centroids);
  CHECK(by_products.scalar_type() == at::kByte);
  CHECK(share_equal(codes, by_products) >= 0.999);
  CHECK(at::equal(index::device_pq_decode(codes, centroids), index::pq_decode(codes, centroids)));
}

TEST_CASE("coders of both forms store the same entries") {
  const std::string factory = GENERATE("OPQ4_8,IVF8,PQ4", "PCA8,IVF8,Flat", "PQ4x4fs", "OPQ4,PQ4");
  const auto codebook = test::random_codebook(index::parse_index_spec(factory, 16));
  const at::Tensor keys = test::normal(2000, 16, 6).to(at::kHalf);
  const auto kernels = coder_of(codebook, Forms::kernels);
  const auto tensors = coder_of(codebook, Forms::tensors);
  const at::Tensor rotated = kernels.rotate(keys);
  REQUIRE(at::equal(rotated, tensors.rotate(keys)));
  const at::Tensor lists = codebook.spec.has_lists() ? kernels.assign_exact(rotated) : at::Tensor();
  CHECK(share_equal(kernels.encode(rotated, lists), tensors.encode(rotated, lists)) >= 0.999);
}
