#include <catch2/catch.hpp>

#include "index/quantize/pq_codes.hpp"
#include "index/sample/cluster_sums.hpp"
#include "support/kernels_under_test.hpp"
#include "unit/index/pq_cases.hpp"

using namespace knnseq;
using namespace knnseq::test;

TEST_CASE("the kernel's codes, sums and counts are the CPU's") {
  const auto dsub = GENERATE(1, 2, 3, 4, 8, 16);
  const auto n = GENERATE(1, 513, 1300);
  const auto centroids = GENERATE(16, 256);
  const auto blocks = GENERATE(1, 2);
  INFO("dsub " << dsub << ", n " << n << ", centroids " << centroids);
  const PqCase test = make_pq_case({.n = n, .m = 3, .dsub = dsub, .centroids = centroids});
  const PqOutcome expected = assign_on_cpu(test);
  PqOutcome found = no_outcome(test);
  run_pq_codes(job_of(test, found), static_cast<unsigned>(blocks));
  CHECK(found.codes == expected.codes);
  CHECK(found.sums == expected.sums);
  CHECK(found.counts == expected.counts);
}

TEST_CASE("of real numbers the kernel's codes are the CPU's but for rounding") {
  const auto dsub = GENERATE(2, 4, 5, 8);
  PqCase test = make_pq_case({.n = 1500, .m = 8, .dsub = dsub, .centroids = 256});
  core::Random random(1);
  for (float& value : test.x) value = static_cast<float>(test::normal(random));
  for (std::int64_t i = 0; i < test.centroids.numel(); ++i) {
    test.centroids.mutable_data_ptr<float>()[i] += static_cast<float>(test::normal(random) / 1024);
  }
  test.tables = index::make_pq_tables(test.centroids);
  PqOutcome found = no_outcome(test);
  run_pq_codes(job_of(test, found), 2);
  const PqOutcome expected = assign_on_cpu(test);
  std::int64_t different = 0;
  for (std::size_t i = 0; i < found.codes.size(); ++i) {
    different += found.codes[i] != expected.codes[i] ? 1 : 0;
  }
  CHECK(different <= 3);  // of 12,000
}

TEST_CASE("the kernel adds to the sums that are there, and writes codes alone") {
  const PqCase test = make_pq_case({.n = 700, .m = 4, .dsub = 4, .centroids = 256});
  const PqOutcome once = assign_on_cpu(test);
  PqOutcome twice = no_outcome(test);
  run_pq_codes(job_of(test, twice), 1);
  gpu::PqCodesJob again = job_of(test, twice);
  again.codes = nullptr;
  run_pq_codes(again, 3);
  CHECK(twice.codes == once.codes);
  std::int64_t different = 0;
  for (std::size_t i = 0; i < once.sums.size(); ++i) different += twice.sums[i] != 2 * once.sums[i];
  for (std::size_t i = 0; i < once.counts.size(); ++i) {
    different += twice.counts[i] != 2 * once.counts[i];
  }
  CHECK(different == 0);

  PqOutcome codes_alone = no_outcome(test);
  gpu::PqCodesJob job = job_of(test, codes_alone);
  job.sums = nullptr;
  job.counts = nullptr;
  run_pq_codes(job, 1);
  CHECK(codes_alone.codes == once.codes);
  CHECK(codes_alone.sums == no_outcome(test).sums);
}

TEST_CASE("the kernel's ties go to the lowest code") {
  const PqCase test =
      make_pq_case({.n = 600, .m = 2, .dsub = 4, .centroids = 256, .different_centroids = 10});
  PqOutcome found = no_outcome(test);
  run_pq_codes(job_of(test, found), 1);
  CHECK(*std::max_element(found.codes.begin(), found.codes.end()) < 10);
  CHECK(found.codes == assign_on_cpu(test).codes);
}
