// Sizes that only a device has the time for; the cases of tests/unit/gpu run there too.
#include <set>

#include <catch2/catch.hpp>

#include "support/figure.hpp"
#include "support/kernels_under_test.hpp"
#include "unit/gpu/scan_comparison.hpp"
#include "unit/index/pq_cases.hpp"
#include "unit/index/scan_cases.hpp"

using namespace knnseq;
using namespace knnseq::test;

TEST_CASE("a million codes of 64 bytes: the CPU's neighbours, with either table") {
  const auto inner_product = GENERATE(false, true);
  const auto k = GENERATE(16, 64, 1000);
  const std::vector<std::int64_t> sizes(256, 4000);
  const Case test = make_case({64, 4}, inner_product, 21, sizes, 160);
  Case probed = test;
  probed.probes = draw_probes(test, 32);
  const auto expected = search(probed, make_scan(probed), k);
  CHECK(differing(search(probed, make_gpu_scan(probed, {.half_tables = false}), k), expected) == 0);
  const auto found = search(probed, make_gpu_scan(probed), k);
  const double share = overlap(found, expected);
  print_figure(fmt::format("neighbours that are the CPU's, k {}{}", k, inner_product ? ", ip" : ""),
               share);
  CHECK(share >= 0.995);
  CHECK(differing(search(probed, make_gpu_scan(probed), k), found) == 0);  // as it did before
}

TEST_CASE("a hundred thousand vectors: the CPU's codes, sums and counts") {
  const auto dsub = GENERATE(2, 4, 8, 16);
  const PqCase test = make_pq_case({.n = 100'000, .m = 64, .dsub = dsub, .centroids = 256});
  const PqOutcome expected = assign_on_cpu(test);
  PqOutcome found = no_outcome(test);
  run_pq_codes(job_of(test, found), 0);
  CHECK(found.codes == expected.codes);
  CHECK(found.sums == expected.sums);
  CHECK(found.counts == expected.counts);
}
