#include <cmath>

#include <catch2/catch.hpp>

#include "core/random.hpp"
#include "index/quantize/pq_codes.hpp"
#include "index/simd/simd_kernels.hpp"
#include "support/normal.hpp"

using namespace knnseq;

namespace {

at::Tensor tensor_of(const std::vector<float>& values, at::IntArrayRef shape) {
  return at::tensor(values).view(shape);
}

std::vector<float> normals(std::int64_t count, std::uint64_t seed) {
  core::Random random(seed);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(test::normal(random));
  return values;
}

double squared_distance(const float* a, const float* b, std::int64_t d) {
  double sum = 0;
  for (std::int64_t i = 0; i < d; ++i) sum += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
  return sum;
}

}  // namespace

TEST_CASE("codes are of the nearest centroid of every sub-vector") {
  const auto dsub = GENERATE(1, 2, 3, 4, 7, 8, 16, 20);
  const auto n = GENERATE(1, 127, 128, 300);
  const std::int64_t m = 3;
  const auto x = normals(n * m * dsub, 1);
  const auto centroids = normals(m * 256 * dsub, 2);
  const index::ProductQuantizer quantizer(tensor_of(centroids, {m, 256, dsub}));
  const at::Tensor codes = quantizer.encode(tensor_of(x, {n, m * dsub}));
  double worst = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t s = 0; s < m; ++s) {
      const float* row = x.data() + (i * m + s) * dsub;
      const float* table = centroids.data() + s * 256 * dsub;
      double best = squared_distance(row, table, dsub);
      for (int j = 1; j < 256; ++j) {
        best = std::min(best, squared_distance(row, table + j * dsub, dsub));
      }
      const int code = codes.const_data_ptr<std::uint8_t>()[i * m + s];
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
  const index::ProductQuantizer quantizer(tensor_of(centroids, {1, 256, dsub}));
  CHECK(quantizer.encode(tensor_of(x, {500, dsub})).max().item<int>() < 10);
}

TEST_CASE("all instruction sets of this machine agree but for rounding") {
  const auto dsub = GENERATE(1, 4, 5, 8, 16);
  const std::int64_t m = 8;
  const std::int64_t count = 100;
  const std::int64_t centroid_count = GENERATE(16, 256);
  const auto rows = normals(m * dsub * count, 7);
  const auto centroids = normals(m * centroid_count * dsub, 8);
  const auto tables = index::make_pq_tables(tensor_of(centroids, {m, centroid_count, dsub}));
  struct Outcome {
    std::vector<std::uint8_t> codes;
    std::vector<std::int64_t> sums;
    std::vector<std::int64_t> members;
  };
  const auto run = [&](index::PqKernel kernel) {
    Outcome outcome{std::vector<std::uint8_t>(m * count),
                    std::vector<std::int64_t>(centroids.size(), 0),
                    std::vector<std::int64_t>(centroids.size() / dsub, 0)};
    std::vector<float> tile(index::pq_tile_columns(dsub) * index::pq_chunk_rows);
    kernel({rows.data(), tables.packed.data(), count, m, dsub, centroid_count, outcome.codes.data(),
            outcome.sums.data(), outcome.members.data(), 1 << 20, tile.data()});
    return outcome;
  };
  const auto baseline = run(index::simd_kernels_of_this_cpu().back().pq);
  // The sums are those of the codes.
  std::vector<std::int64_t> sums(centroids.size(), 0);
  std::vector<std::int64_t> members(baseline.members.size(), 0);
  for (std::int64_t i = 0; i < count * m; ++i) {
    const std::int64_t cluster = i % m * centroid_count + baseline.codes[i];
    ++members[cluster];
    for (std::int64_t t = 0; t < dsub; ++t) {
      sums[cluster * dsub + t] += std::llrint(double{rows[i * dsub + t]} * (1 << 20));
    }
  }
  CHECK(baseline.sums == sums);
  CHECK(baseline.members == members);
  const auto differences = [&](const Outcome& outcome) {
    int different = 0;
    for (std::int64_t i = 0; i < m * count; ++i) different += outcome.codes[i] != baseline.codes[i];
    return different;
  };
  for (const index::SimdKernels& kernels : index::simd_kernels_of_this_cpu()) {
    INFO(core::to_string(kernels.set));
    CHECK(differences(run(kernels.pq)) <= 2);
  }
  CHECK(differences(baseline) == 0);
}
