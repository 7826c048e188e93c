#include <algorithm>

#include <catch2/catch.hpp>

#include "index/core/neighbour.hpp"
#include "index/simd/simd_kernels.hpp"
#include "support/host_top_k.hpp"
#include "unit/index/subset_cases.hpp"

using namespace knnseq;

namespace {

/// The definition: a table, and its sums.
std::vector<index::Neighbour> plain(const test::SubsetCase& data, const float* query,
                                    std::size_t set, std::size_t k) {
  const auto& spec = data.codebook.spec;
  const auto* centroids = data.codebook.pq_centroids.const_data_ptr<float>();
  const auto codes = index::span_of<std::uint8_t>(data.codes[set]);
  std::vector<float> table(spec.m * 256);
  for (std::int64_t i = 0; i < spec.m * 256; ++i) {
    float sum = 0;
    for (std::int64_t t = 0; t < spec.dsub(); ++t) {
      const float q = query[i / 256 * spec.dsub() + t];
      const float c = centroids[i * spec.dsub() + t];
      const float term = index::is_inner_product(spec.metric) ? -(q * c) : (q - c) * (q - c);
      sum += term;
    }
    table[i] = sum;
  }
  std::vector<index::Neighbour> found;
  for (std::size_t i = 0; i < data.ids[set].size(); ++i) {
    float sums[4] = {};
    for (std::size_t s = 0; s < static_cast<std::size_t>(spec.m); ++s) {
      sums[s % 4] += table[s * 256 + codes[i * static_cast<std::size_t>(spec.m) + s]];
    }
    found.push_back({(sums[0] + sums[1]) + (sums[2] + sums[3]), data.ids[set][i]});
  }
  std::sort(found.begin(), found.end());
  found.resize(std::min(found.size(), k));
  return found;
}

}  // namespace

TEST_CASE("asymmetric distances are those of plain loops, bit by bit, with every instruction set") {
  const std::string metric = GENERATE("l2", "ip", "cos");
  const std::string factory = GENERATE("PQ8", "OPQ6_12,PQ6", "PQ3", "PCA20,PQ10");
  const std::int64_t k = GENERATE(1, 16, 200);
  const test::SubsetCase data(factory, metric, {3000, 0, 1, 64, 130, 700});
  const index::ScanCentroids centroids(data.codebook);
  const at::Tensor queries =
      index::rotate_vectors(data.codebook, test::clustered(40, 24, 9) * 1.3).contiguous();
  std::vector<std::int64_t> sets;
  for (std::int64_t i = 0; i < queries.size(0); ++i) sets.push_back(i * 7 % 6);
  for (const index::SimdKernels& kernels : index::simd_kernels_of_this_cpu()) {
    INFO(core::to_string(kernels.set) << " " << factory << " " << metric << " k " << k);
    const test::HostTopK found = data.scan(centroids, &kernels).search(queries, sets, k);
    REQUIRE(found.queries == queries.size(0));
    for (std::size_t i = 0; i < sets.size(); ++i) {
      const auto expected = plain(
          data, queries.const_data_ptr<float>() + static_cast<std::int64_t>(i) * queries.size(1),
          sets[i], k);
      std::size_t wrong = 0;
      for (std::size_t j = 0; j < static_cast<std::size_t>(k); ++j) {
        const auto at = i * static_cast<std::size_t>(k) + j;
        const bool there = j < expected.size();
        wrong += found.distances[at] != (there ? expected[j].distance : index::missing_distance);
        wrong += found.ids[at] != (there ? expected[j].id : index::missing_id);
      }
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("queries with nothing to tell entries apart, and none at all") {
  const test::SubsetCase data("PQ8", "ip", {500, 20});
  const index::ScanCentroids centroids(data.codebook);
  const auto scan = data.scan(centroids);
  CHECK(scan.entries() == 520);
  // All products are 0: the lowest entry numbers are the nearest.
  const test::HostTopK found = scan.search(at::zeros({1, 24}), std::vector<std::int64_t>{0}, 3);
  CHECK(core::entry_number_of(found.ids[0]) == 100'000 - 499);
  CHECK(core::entry_number_of(found.ids[2]) == 100'000 - 497);
  CHECK(scan.search(at::empty({0, 24}), {}, 3).ids.numel() == 0);
  CHECK_THROWS_AS(scan.search(at::zeros({1, 24}), std::vector<std::int64_t>{2}, 3),
                  std::logic_error);
}
