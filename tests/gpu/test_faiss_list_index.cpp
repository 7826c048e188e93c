// faiss's index for GPUs; only in builds whose faiss has it.
#include <catch2/catch.hpp>

#include "index/search/faiss_list_index.hpp"
#include "support/kernels_under_test.hpp"
#include "unit/gpu/scan_comparison.hpp"
#include "unit/index/scan_cases.hpp"
#include "unit/index/synthetic.hpp"

using namespace knnseq;
using namespace knnseq::test;

namespace {

std::unique_ptr<index::ListIndexTorch> make_faiss(const Case& test,
                                                  const index::FaissCudaOptions& options = {}) {
  Case with_metric = test;
  with_metric.codebook.spec.metric = test.inner_product ? index::Metric::ip : index::Metric::l2;
  auto lists = index::make_faiss_list_index_cuda(with_metric.codebook, sizes_of(test),
                                                 launcher_under_test(), options);
  fill(*lists, test);
  return lists;
}

}  // namespace

TEST_CASE("faiss finds the CPU's neighbours on a GPU, with either kind of tables") {
  const auto m = GENERATE(8, 32, 64);  // 64: in fp16
  const auto inner_product = GENERATE(false, true);
  const auto precomputed_tables = GENERATE(false, true);
  const std::vector<std::int64_t> sizes(64, 1000);
  Case test = make_case({m, 4}, inner_product, 31, sizes, 40);
  test.probes = draw_probes(test, 16);
  const auto lists = make_faiss(test, {precomputed_tables});
  CHECK(lists->entries() == test.entries());
  for (const std::int64_t k : {16, 64, 1000}) {
    const auto expected = search(test, make_scan(test), k);
    const auto found = search(test, *lists, k);
    INFO("m " << m << ", k " << k << (inner_product ? ", ip" : ", l2"));
    CHECK(overlap(found, expected) >= 0.995);
    // Distances are those of the CPU, up to rounding of the tables.
    CHECK(at::allclose(at::tensor(found.distances), at::tensor(expected.distances), 5e-3, 0.1));
  }
}

TEST_CASE("faiss's equal distances are ordered by entry number, and cut there") {
  const Case test = make_case({4, 4, /*whole_numbers=*/true, /*codes=*/3}, false, 2, some_sizes, 3);
  const auto answers = plain_answers(test);
  const auto lists = make_faiss(test);
  for (const std::int64_t k : {1, 10, 333}) {
    CHECK(differing_slots(answers, search(test, *lists, k)) == 0);
  }
}

TEST_CASE("without queries or entries faiss finds nothing, and says so") {
  const Case empty = make_case({4, 4}, false, 9, {0, 0, 0, 0}, 2);
  CHECK(search(empty, *make_faiss(empty), 3).ids ==
        std::vector<std::int64_t>(6, index::missing_id));
  const Case few = make_case({4, 4}, false, 8, {1, 0, 2, 0}, 2);
  CHECK(search(few, *make_faiss(few), 5).ids == search(few, make_scan(few), 5).ids);
}

TEST_CASE("a local index of faiss's backend lies on the GPU, whatever finds the lists") {
  const auto factory = GENERATE("OPQ8_32,IVF16,PQ8", "OPQ8_32,IVF16_HNSW8,PQ8");
  const auto codebook = random_codebook(index::parse_index_spec(factory, 40, "l2"));
  const auto entries = coded_entries(codebook, normal(2000, 40, 1));
  index::LocalIndexOptions options;
  options.backend = index::Backend::faiss;
  const auto on_cpu = index::make_local_index(codebook, entries, options);
  options.launcher = launcher_under_test();
  const auto on_gpu = index::make_local_index(codebook, entries, options);
  REQUIRE(dynamic_cast<const index::ListIndexTorch*>(on_gpu.get()) != nullptr);
  const index::VectorQuantizer quantizer(codebook);
  const at::Tensor rotated = quantizer.rotate(normal(6, 40, 2));
  const auto probes = quantizer.probe(rotated, 5);
  CHECK(overlap(on_gpu->search(rotated, probes, 16), on_cpu->search(rotated, probes, 16)) >= 0.995);
}

TEST_CASE("codes that faiss does not search on GPUs are refused with what to do") {
  const Case test = make_case({5, 4}, false, 12);
  CHECK_THROWS_WITH(make_faiss(test), Catch::Contains("use knn.backend: knnseq"));
}
