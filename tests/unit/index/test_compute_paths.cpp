#include <algorithm>
#include <utility>

#include <catch2/catch.hpp>

#include "gpu/collectives.hpp"
#include "index/quantize/pq_codes.hpp"
#include "index/train/product_quantizer_training.hpp"
#include "index/train/quantization_error.hpp"
#include "unit/index/synthetic.hpp"

using namespace knnseq;
using gpu::ComputePath;

namespace {

index::VectorQuantizer coder_of(const index::Codebook& codebook, gpu::ComputePath path) {
  return {codebook, at::kCPU, path};
}

/// A codebook trained by tensors on the CPU, as it would be on a device.
index::Codebook train_by_tensors(const at::Tensor& sample, const index::IndexSpec& spec,
                                 const index::TrainOptions& options) {
  const auto self = comm::make_self_communicator();
  const auto collectives = gpu::make_host_collectives(*self);
  index::TrainContext context(*self, at::kCPU, *collectives);
  context.path = gpu::ComputePath::torch;
  return index::train_codebook(context, index::deal_sample(sample, 4096, 0, 1), spec, options);
}

double quantization_error_of(const index::Codebook& codebook, const at::Tensor& sample) {
  const auto self = comm::make_self_communicator();
  return index::quantization_error(*self, index::VectorQuantizer(codebook),
                                   index::deal_sample(sample, 4096, 0, 1));
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
  const at::Tensor lists = coder_of(codebook, gpu::ComputePath::cpu).assign_exact(x);
  const at::Tensor by_tensors = coder_of(codebook, gpu::ComputePath::torch).assign_exact(x);
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
  const auto probes = coder_of(codebook, gpu::ComputePath::cpu).probe(x, width);
  const auto by_tensors = coder_of(codebook, gpu::ComputePath::torch).probe(x, width);
  CHECK(at::allclose(by_tensors.distances, probes.distances, 1e-5, 1e-5));
  CHECK(share_equal(probes.lists, by_tensors.lists) >= 0.999);
  const at::Tensor order = by_tensors.distances;
  CHECK((order.slice(1, 1) >= order.slice(1, 0, width - 1)).all().item<bool>());
}

TEST_CASE("the device's PQ codes are the kernels' but for near ties, and decode alike") {
  const auto [m, dsub] = GENERATE(std::pair<int, int>{4, 4}, std::pair<int, int>{3, 5});
  const at::Tensor centroids = test::normal(m * 256, dsub, 4).view({m, 256, dsub});
  const at::Tensor x = test::normal(3000, m * dsub, 5);
  const at::Tensor codes = index::ProductQuantizer(centroids).encode(x);
  const at::Tensor by_products =
      index::ProductQuantizer(centroids, at::kCPU, ComputePath::torch).encode(x);
  CHECK(by_products.scalar_type() == at::kByte);
  CHECK(share_equal(codes, by_products) >= 0.999);
  CHECK(at::equal(index::pq_decode(codes, centroids, ComputePath::torch),
                  index::pq_decode(codes, centroids)));
}

TEST_CASE("both paths of a vector quantizer store the same entries") {
  const std::string factory = GENERATE("OPQ4_8,IVF8,PQ4", "PCA8,IVF8,Flat", "PQ4x4fs", "OPQ4,PQ4");
  const auto codebook = test::random_codebook(index::parse_index_spec(factory, 16));
  const at::Tensor keys = test::normal(2000, 16, 6).to(at::kHalf);
  const auto kernels = coder_of(codebook, gpu::ComputePath::cpu);
  const auto tensors = coder_of(codebook, gpu::ComputePath::torch);
  const at::Tensor rotated = kernels.rotate(keys);
  REQUIRE(at::equal(rotated, tensors.rotate(keys)));
  const at::Tensor lists = codebook.spec.has_lists() ? kernels.assign_exact(rotated) : at::Tensor();
  CHECK(share_equal(kernels.encode(rotated, lists), tensors.encode(rotated, lists)) >= 0.999);
}

TEST_CASE("sums by tensors are the kernels', bit by bit") {
  const at::Tensor x = test::normal(5000, 20, 7);
  const at::Tensor assignment = at::remainder(at::arange(5000, at::kInt) * 7919, 300);
  const auto self = comm::make_self_communicator();
  const index::FixedPoint fixed_point(10, 5000);
  const at::Tensor centroids = test::normal(320, 20, 8);  // 20 of them without rows
  const index::TrainContext context(*self);
  index::ClusterSums by_kernels(context, fixed_point, 320, 20);
  index::RowPointers rows;
  index::append_rows(x, rows);
  by_kernels.add(rows, {assignment.const_data_ptr<std::int32_t>(), 5000});
  index::TrainContext tensor_team(*self);
  tensor_team.path = gpu::ComputePath::torch;
  index::ClusterSums by_tensors(tensor_team, fixed_point, 320, 20);
  by_tensors.add(x, assignment);
  CHECK(at::equal(by_kernels.sums(), by_tensors.sums()));
  CHECK(at::equal(by_kernels.counts(), by_tensors.counts()));
  CHECK(at::equal(by_kernels.means(centroids), by_tensors.means(centroids)));
  CHECK(by_tensors.explained_sum_of_squares(centroids) ==
        Approx(by_kernels.explained_sum_of_squares(centroids)).epsilon(1e-12));
}

TEST_CASE("a codebook trained by tensors is as good as one trained by kernels") {
  const std::string factory = GENERATE("OPQ8_16,IVF64,PQ8", "PCA16,IVF64,PQ8", "PQ8x4fs");
  const std::string metric = GENERATE("l2", "cos");
  const at::Tensor sample = test::clustered(12000, 32, 9).to(at::kHalf);
  const auto spec = index::parse_index_spec(factory, 32, metric);
  index::TrainOptions options;
  options.opq_iterations = 8;
  options.opq_tolerance = 0;  // both the same number of iterations
  const double error = quantization_error_of(test::train_alone(sample, spec, options), sample);
  const double error_by_tensors =
      quantization_error_of(train_by_tensors(sample, spec, options), sample);
  INFO(factory << " " << metric << ": error " << error << ", by tensors " << error_by_tensors);
  // OPQ's alternation makes more of a difference in rounding than any other step.
  const bool opq = spec.transform == index::Transform::opq;
  CHECK(error_by_tensors == Approx(error).epsilon(opq ? 0.005 : 0.0005));
}

TEST_CASE("a search that devices have not is warned of") {
  const auto spec = index::parse_index_spec("IVF16,PQ4", 16);
  const at::Tensor sample = test::clustered(3000, 16, 8).to(at::kHalf);
  std::vector<std::string> warnings;
  index::TrainOptions options = test::quick_options();
  options.warn = [&](const std::string& line) { warnings.push_back(line); };
  const auto warned = [&] {
    return std::ranges::count_if(std::exchange(warnings, {}), [](const std::string& line) {
      return line.find("coarse_search: near has no effect on GPUs") != line.npos;
    });
  };
  const auto all = train_by_tensors(sample, spec, options);
  CHECK(warned() == 0);
  options.coarse_search = index::CoarseSearch::near;
  const auto near = train_by_tensors(sample, spec, options);
  CHECK(warned() == 1);
  CHECK(checksum(near) == checksum(all));
  test::train_alone(sample, spec, options);
  CHECK(warned() == 0);
}
