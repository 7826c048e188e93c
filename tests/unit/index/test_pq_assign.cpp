#include <catch2/catch.hpp>

#include "core/random.hpp"
#include "index/pq_assign.hpp"
#include "index/pq_kernel.hpp"

using namespace knnseq;

namespace {

std::vector<float> normals(std::int64_t count, std::uint64_t seed) {
  core::Random random(seed);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = static_cast<float>(random.normal());
  return values;
}

double squared_distance(const float* a, const float* b, std::int64_t d) {
  double sum = 0;
  for (std::int64_t i = 0; i < d; ++i) sum += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
  return sum;
}

}  // namespace

TEST_CASE("pq_assign finds the nearest centroid of every sub-vector") {
  const auto dsub = GENERATE(1, 2, 3, 4, 7, 8, 16, 20);
  const auto n = GENERATE(1, 127, 128, 300);
  const std::int64_t m = 3;
  const auto x = normals(n * m * dsub, 1);
  const auto centroids = normals(m * 256 * dsub, 2);
  std::vector<std::uint8_t> codes(static_cast<std::size_t>(n * m));
  index::pq_assign({x.data(), n, m * dsub},
                   index::make_pq_tables({centroids.data(), m * 256, dsub}, m),
                   {codes.data(), n, m});
  double worst = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t s = 0; s < m; ++s) {
      const float* row = x.data() + (i * m + s) * dsub;
      const float* table = centroids.data() + s * 256 * dsub;
      double best = squared_distance(row, table, dsub);
      for (int j = 1; j < 256; ++j) {
        best = std::min(best, squared_distance(row, table + j * dsub, dsub));
      }
      const int code = codes[static_cast<std::size_t>(i * m + s)];
      worst = std::max(worst, squared_distance(row, table + code * dsub, dsub) - best);
    }
  }
  CHECK(worst < 1e-5);
}

TEST_CASE("ties go to the lowest code") {
  const std::int64_t dsub = 4;
  auto centroids = normals(256 * dsub, 5);
  for (int j = 0; j < 256; ++j) {
    std::copy_n(centroids.data() + (j % 10) * dsub, dsub, centroids.data() + j * dsub);
  }
  const auto x = normals(500 * dsub, 6);
  std::vector<std::uint8_t> codes(500);
  index::pq_assign({x.data(), 500, dsub}, index::make_pq_tables({centroids.data(), 256, dsub}, 1),
                   {codes.data(), 500, 1});
  CHECK(*std::max_element(codes.begin(), codes.end()) < 10);
}

TEST_CASE("all instruction sets of this machine agree but for rounding") {
  const std::int64_t dsub = 4;
  const std::int64_t m = 8;
  const auto columns = normals(m * dsub * index::pq_chunk_rows, 7);
  const auto centroids = normals(m * 256 * dsub, 8);
  const auto tables = index::make_pq_tables({centroids.data(), m * 256, dsub}, m);
  const auto run = [&](index::PqKernel kernel) {
    std::vector<std::uint8_t> codes(static_cast<std::size_t>(m * index::pq_chunk_rows));
    kernel({columns.data(), tables.packed.data(), m, dsub, codes.data()});
    return codes;
  };
  const auto baseline = run(index::pq_kernel_baseline);
  const auto differences = [&](const std::vector<std::uint8_t>& codes) {
    int count = 0;
    for (std::size_t i = 0; i < codes.size(); ++i) count += codes[i] != baseline[i] ? 1 : 0;
    return count;
  };
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    CHECK(differences(run(index::pq_kernel_avx2)) <= 2);
  }
  if (__builtin_cpu_supports("avx512f")) CHECK(differences(run(index::pq_kernel_avx512)) <= 2);
#endif
  CHECK(differences(baseline) == 0);
}
