#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "index/search/faiss_list_index.hpp"
#include "index/search/ivfpq_scan.hpp"
#include "index/search/local_index.hpp"
#include "support/kernels_under_test.hpp"
#include "unit/gpu/scan_comparison.hpp"
#include "unit/index/scan_cases.hpp"
#include "unit/index/synthetic.hpp"

using namespace knnseq;
using namespace knnseq::test;

namespace {

/// A device with little memory; nothing else of it is used.
class SmallLauncher final : public gpu::ScanLauncher {
 public:
  void scan(const gpu::ScanJob& /*job*/) const override { FAIL("nothing is to be searched"); }
  c10::Device device() const override { return c10::DeviceType::CPU; }
  void* stream() const override { return nullptr; }
  std::int64_t free_bytes() const override { return std::int64_t{513} << 20; }
  std::int64_t multiprocessors() const override { return 1; }
  std::int64_t shared_bytes() const override { return 48 << 10; }
};

}  // namespace

TEST_CASE("the kernel finds exactly what plain arithmetic finds, whatever the shape") {
  const auto m = GENERATE(1, 3, 8, 16, 64);
  const auto dsub = GENERATE(2, 3, 4, 8);
  const auto inner_product = GENERATE(false, true);
  const Case test =
      make_case({m, dsub, /*whole_numbers=*/true}, inner_product, 1, some_sizes, /*queries=*/3);
  const auto answers = plain_answers(test);
  INFO("m " << m << ", dsub " << dsub << (inner_product ? ", ip" : ", l2"));
  const auto scan = make_gpu_scan(test, {.half_tables = false, .splits = 2});
  CHECK(scan.entries() == test.entries());
  for (const std::int64_t k : {1, 64}) {
    CHECK(differing_slots(answers, search(test, scan, k)) == 0);
  }
}

TEST_CASE("the kernel's distances are the CPU's to the last bit, with either table") {
  const auto m = GENERATE(8, 16, 64);
  const auto dsub = GENERATE(2, 4, 8);
  const auto inner_product = GENERATE(false, true);
  const Case test = make_case({m, dsub}, inner_product, 3, {700, 0, 31, 33, 500, 1, 32, 64}, 4);
  INFO("m " << m << ", dsub " << dsub << (inner_product ? ", ip" : ", l2"));
  const auto expected = search(test, make_scan(test), 40);
  CHECK(differing(search(test, make_gpu_scan(test, {.half_tables = false}), 40), expected) == 0);
  const auto found = search(test, make_gpu_scan(test), 40);
  CHECK(overlap(found, expected) >= 0.995);
}

TEST_CASE("entries with equal codes are told apart by their numbers on chip, at the cut too") {
  const auto half_tables = GENERATE(true, false);
  const Case test = make_case({4, 4, /*whole_numbers=*/true, /*codes=*/3}, false, 2, some_sizes, 3);
  const auto answers = plain_answers(test);
  const auto scan = make_gpu_scan(test, {.half_tables = half_tables, .splits = 3});
  for (const std::int64_t k : {1, 10, 333}) {
    CHECK(differing_slots(answers, search(test, scan, k)) == 0);
  }
}

TEST_CASE("results do not depend on how a query's lists are distributed over blocks") {
  const Case test = make_case({16, 4}, false, 4, {900, 3, 0, 450, 77}, 5);
  const auto expected = search(test, make_gpu_scan(test, {.splits = 1}), 30);
  for (const std::int64_t splits : {2, 5, 40}) {
    CHECK(differing(search(test, make_gpu_scan(test, {.splits = splits}), 30), expected) == 0);
  }
}

TEST_CASE("as many as a block keeps at most, and more than there are") {
  const Case test = make_case({8, 2}, false, 5, {1300, 200}, 2);
  REQUIRE(test.probes.lists.size(1) == 0);
  Case probed = test;
  probed.probes = draw_probes(test, 2);
  const auto expected = search(probed, make_scan(probed), gpu::most_scan_k);
  const auto scan = make_gpu_scan(probed, {.half_tables = false});
  CHECK(differing(search(probed, scan, gpu::most_scan_k), expected) == 0);
  CHECK_THROWS_AS(search(probed, scan, gpu::most_scan_k + 1), core::InputError);
  probed.probes = draw_probes(test, 1);
  CHECK(differing(search(probed, scan, 1024), search(probed, make_scan(probed), 1024)) == 0);
  // No probes at all: nothing is found.
  CHECK(search(test, scan, 4).ids == std::vector<std::int64_t>(8, index::missing_id));
}

TEST_CASE("without queries or entries nothing is found, and numbers that are none are not kept") {
  Case test = make_case({4, 4}, false, 8);
  const auto scan = make_gpu_scan(test);
  const HostTopK none =
      scan.search(test.queries.slice(0, 0, 0),
                  {test.probes.lists.slice(0, 0, 0), test.probes.distances.slice(0, 0, 0)}, 5);
  CHECK(none.ids.empty());
  const Case empty = make_case({4, 4}, false, 9, {0, 0, 0, 0}, 2);
  CHECK(search(empty, make_gpu_scan(empty), 3).ids ==
        std::vector<std::int64_t>(6, index::missing_id));
  test.queries.select(0, 1).fill_(std::numeric_limits<float>::quiet_NaN());
  const auto found = search(test, scan, 5);
  CHECK(differing(found, search(test, make_scan(test), 5)) == 0);
  CHECK(found.ids[5] == index::missing_id);
}

TEST_CASE("large and small queries do not leave the range of fp16") {
  const auto scale = GENERATE(1e-6, 1e6);
  Case test = make_case({16, 4}, false, 10, {800, 300, 500}, 3);
  for (at::Tensor* tensor :
       {&test.queries, &test.codebook.pq_centroids, &test.codebook.coarse_centroids}) {
    tensor->mul_(scale);
  }
  test.probes = draw_probes(test, 3);
  CHECK(overlap(search(test, make_gpu_scan(test), 50), search(test, make_scan(test), 50)) >= 0.995);
}

TEST_CASE("lists that do not fit the device are refused with what would fit") {
  const Case test = make_case({8, 4}, false, 11);
  using Catch::Contains;
  const auto launcher = std::make_shared<SmallLauncher>();
  CHECK_NOTHROW(index::IvfPqScanTorch(test.codebook, sizes_of(test), launcher, {}));
  auto sizes = sizes_of(test);
  sizes[0] = 10'000'000;
  CHECK_THROWS_WITH(
      index::IvfPqScanTorch(test.codebook, sizes, launcher, {}),
      Contains("fewer bytes a code") && Contains("times as many ranks") && Contains("device: cpu"));
}

TEST_CASE("a local index is searched by the launcher it was given, with the same result") {
  const auto metric = GENERATE("l2", "ip", "cos");
  const auto spec = index::parse_index_spec("OPQ8_32,IVF16,PQ8", 40, metric);
  const auto codebook = random_codebook(spec);
  const auto entries = coded_entries(codebook, normal(2000, 40, 1));
  const auto on_cpu = index::make_local_index(codebook, entries);
  index::LocalIndexOptions options;
  options.launcher = launcher_under_test();
  const auto on_gpu = index::make_local_index(codebook, entries, options);
  const auto* lists = dynamic_cast<const index::ListIndexTorch*>(on_gpu.get());
  REQUIRE(lists != nullptr);
  const index::VectorQuantizer quantizer(codebook);
  const at::Tensor rotated = quantizer.rotate(normal(6, 40, 2));
  const auto probes = quantizer.probe(rotated, 5);
  const auto expected = on_cpu->search(rotated, probes, 16);
  CHECK(overlap(on_gpu->search(rotated, probes, 16), expected) >= 0.995);
  if (index::has_faiss_cuda()) return;
  // faiss's own backend, and types without lists, stay where they are.
  options.backend = index::Backend::faiss;
  CHECK(dynamic_cast<const index::ListIndexTorch*>(
            index::make_local_index(codebook, entries, options).get()) == nullptr);
}
