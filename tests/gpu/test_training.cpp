#include <algorithm>

#include <catch2/catch.hpp>

#include "gpu/collectives.hpp"
#include "gpu/device_memory.hpp"
#include "gpu_device.hpp"
#include "index/sample/cluster_sums.hpp"
#include "index/train/quantization_error.hpp"
#include "index/train/training_memory.hpp"
#include "support/figure.hpp"
#include "unit/index/synthetic.hpp"

using namespace knnseq;

namespace {

index::Codebook train_on_gpu(const at::Tensor& sample, const index::IndexSpec& spec,
                             const index::TrainOptions& options,
                             const index::CheckpointHooks& hooks = {}) {
  const auto self = comm::make_self_communicator();
  const auto collectives = gpu::make_host_collectives(*self);
  return index::train_codebook({*self, gpu_device, *collectives},
                               index::deal_sample(sample, 4096, 0, 1), spec, options, hooks);
}

double error_of(const index::Codebook& codebook, const at::Tensor& sample, at::Device device) {
  const auto self = comm::make_self_communicator();
  return index::quantization_error(*self, index::VectorQuantizer(codebook, device),
                                   index::deal_sample(sample, 4096, 0, 1));
}

double share_equal(const at::Tensor& a, const at::Tensor& b) {
  return (a == b).to(at::kDouble).mean().item<double>();
}

}  // namespace

TEST_CASE("a codebook trained on the GPU is as good as one of the CPU") {
  const std::string factory = GENERATE("OPQ16_32,IVF256,PQ16", "PCA32,IVF256,PQ16", "PQ16x4fs");
  const std::string metric = GENERATE("l2", "ip", "cos");
  const at::Tensor sample = test::clustered(60000, 64, 9).to(at::kHalf);
  const auto spec = index::parse_index_spec(factory, 64, metric);
  index::TrainOptions options;
  options.opq_tolerance = 0;  // both the same number of iterations
  const double error = error_of(test::train_alone(sample, spec, options), sample, at::kCPU);
  const double of_gpu = error_of(train_on_gpu(sample, spec, options), sample, at::kCPU);
  INFO(factory << " " << metric << ": error " << error << ", trained on the GPU " << of_gpu);
  // OPQ's alternation makes more of a difference in rounding than any other step.
  const bool opq = spec.transform == index::Transform::opq;
  test::print_figure(fmt::format("codebook error by the CPU's, {} {}", factory, metric),
                     of_gpu / error);
  CHECK(of_gpu == Approx(error).epsilon(opq ? 0.005 : 0.001));
}

TEST_CASE("a training takes about the memory that was told before") {
  constexpr std::int64_t rows = 1'000'000;
  const auto spec = index::parse_index_spec(GENERATE("IVF1024,PQ32", "OPQ32_256,PQ32"), 256);
  const at::Tensor sample = test::normal(rows, 256, 6).to(at::kHalf);
  index::TrainOptions options;
  options.max_points_per_centroid = 0;  // all rows in all steps
  options.coarse_iterations = options.opq_iterations = options.pq_iterations = 1;
  options.opq_first_pq_iterations = 1;
  const std::int64_t told = index::training_device_bytes(spec, options, rows, 1);
  at::zeros({1}, gpu_device);  // libtorch counts from its first tensor on
  const std::int64_t before = gpu::peak_device_bytes(0);
  CHECK(gpu::free_device_bytes(0) > told);
  train_on_gpu(sample, spec, options);
  CHECK(gpu::peak_device_bytes(0) >= rows * 256 * 4);
  const auto peak = static_cast<double>(gpu::peak_device_bytes(0));
  test::print_figure(fmt::format("memory of training by what was told, {} sub-vectors", spec.m) +
                         (spec.has_lists() ? ", lists" : ", OPQ"),
                     peak / static_cast<double>(std::max(before, told)));
  CHECK(gpu::peak_device_bytes(0) <= std::max(before, told));
}

TEST_CASE("training on the GPU gives the same bytes again, also after an interruption") {
  const at::Tensor sample = test::clustered(20000, 32, 4).to(at::kHalf);
  const auto spec = index::parse_index_spec("OPQ8_16,IVF64,PQ8", 32);
  std::vector<std::byte> middle;
  index::CheckpointHooks hooks;
  hooks.save = [&](const std::string& step, std::int64_t iteration,
                   std::span<const std::byte> state) {
    if (step == "coarse" && iteration == 2) middle.assign(state.begin(), state.end());
  };
  const auto once = train_on_gpu(sample, spec, test::quick_options(), hooks);
  CHECK(checksum(once) == checksum(train_on_gpu(sample, spec, test::quick_options())));
  index::CheckpointHooks resumed;
  resumed.resume = middle;
  CHECK(checksum(once) == checksum(train_on_gpu(sample, spec, test::quick_options(), resumed)));
}

TEST_CASE("what the GPU adds is what the CPU adds, but for near ties") {
  const std::string factory =
      GENERATE("OPQ16_32,IVF256,PQ16", "IVF20000,PQ32", "PCA32,IVF64,Flat", "OPQ16,PQ16");
  const std::string metric = GENERATE("l2", "cos");
  const auto codebook = test::random_codebook(index::parse_index_spec(factory, 64, metric));
  const at::Tensor keys = test::clustered(20000, 64, 5).to(at::kHalf);
  const index::VectorQuantizer cpu(codebook);
  const index::VectorQuantizer gpu(codebook, gpu_device);
  const at::Tensor rotated = cpu.rotate(keys);
  const at::Tensor rotated_there = gpu.rotate(keys.to(gpu_device));
  CHECK(at::allclose(rotated, rotated_there.cpu(), 1e-5, 1e-5));
  at::Tensor lists;
  if (codebook.spec.has_lists()) {
    lists = cpu.assign_exact(rotated);
    CHECK(share_equal(lists, gpu.assign_exact(rotated_there).cpu()) >= 0.999);
  }
  // Codes of the same vectors and lists: an entry in another list has another code, rightly.
  const at::Tensor there = lists.defined() ? lists.to(gpu_device) : lists;
  const at::Tensor codes = gpu.encode(rotated.to(gpu_device), there);
  CHECK(codes.device() == gpu_device);
  const double equal = share_equal(cpu.encode(rotated, lists), codes.cpu());
  test::print_figure(fmt::format("codes that are the CPU's, {} {}", factory, metric), equal);
  CHECK(equal >= 0.999);
}

TEST_CASE("the GPU probes the CPU's lists") {
  const auto metric = GENERATE("l2", "ip");
  const auto codebook = test::random_codebook(index::parse_index_spec("IVF40000,PQ16", 64, metric));
  const at::Tensor queries = test::normal(160, 64, 6);
  const auto probes = index::VectorQuantizer(codebook).probe(queries, 32);
  const auto there = index::VectorQuantizer(codebook, gpu_device).probe(queries.to(gpu_device), 32);
  CHECK(there.lists.device() == gpu_device);
  const double equal = share_equal(probes.lists, there.lists.cpu());
  test::print_figure(std::string("probed lists that are the CPU's, ") + metric, equal);
  CHECK(equal >= 0.999);
  CHECK(at::allclose(probes.distances, there.distances.cpu(), 1e-5, 1e-5));
}

TEST_CASE("sums on the GPU are the CPU's, bit by bit") {
  const at::Tensor x = test::normal(100000, 20, 7);
  const at::Tensor assignment = at::remainder(at::arange(100000, at::kInt) * 7919, 300);
  const auto self = comm::make_self_communicator();
  const auto collectives = gpu::make_host_collectives(*self);
  const index::FixedPoint fixed_point(10, 100000);
  index::ClusterSums on_cpu(*self, fixed_point, 300, 20);
  index::RowPointers rows;
  index::append_rows(x, rows);
  on_cpu.add(rows, {assignment.const_data_ptr<std::int32_t>(), rows.size()});
  index::ClusterSums on_gpu({*self, gpu_device, *collectives}, fixed_point, 300, 20);
  on_gpu.add(x.to(gpu_device), assignment.to(gpu_device));
  CHECK(at::equal(on_cpu.sums(), on_gpu.sums().cpu()));
  CHECK(at::equal(on_cpu.counts(), on_gpu.counts().cpu()));
  const at::Tensor centroids = test::normal(300, 20, 8);
  CHECK(at::equal(on_cpu.means(centroids), on_gpu.means(centroids.to(gpu_device)).cpu()));
}
